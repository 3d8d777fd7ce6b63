//! Two nodes over one database and one store of objects, with a stand-in for the transcoder's program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use millet_manifest::{Chunk, PlanHead, Record, Segment};

use super::{help, store};
use crate::jobs::tests::{Bench, TIMELINE};
use crate::jobs::worker::{self, Ended};
use crate::jobs::{LEASE, Status};
use crate::objects::Key;
use crate::uploads::sweep;

/// Ten segments of a minute: nine of them are shares.
const PLAN: &str = r#"{"announced_ms":600000,"has_pictures":true,
    "seams_ms":[60000,120000,180000,240000,300000,360000,420000,480000,540000]}"#;
const SEGMENTS: usize = 10;

/// What the stand-in writes about a segment whose media have `bytes`; `START` stands for where it begins, `NAME` for
/// the same as its file is named.
fn record(bytes: usize) -> String {
    let (bytes, start_ms) = (bytes as u64, 12_345_678);
    let record = Record {
        plan: 1,
        codec: "avc1.64000d".into(),
        init_bytes: 4,
        init_sum: 2,
        segment: Segment {
            start_ms,
            duration_ms: 60_000,
            file: Record::media("v240", start_ms),
            bytes,
            chunks: vec![Chunk {
                offset: 0,
                bytes,
                start_ms,
                duration_ms: 60_000,
                keyframe: true,
            }],
        },
    };
    let text = serde_json::to_string(&record).unwrap();
    text.replace("/12345678", "/NAME")
        .replace("12345678", "START")
}

/// A program that makes its share, or as the job's own worker waits for the segments `awaited` and makes the
/// others. `before_share` runs first in a share, with its `$index`.
fn program(bench: &Bench, awaited: std::ops::Range<usize>, before_share: &str) -> String {
    format!(
        r#"cmp "$2" {expected}
        test "$4" = --given
        mkdir -p "$3/work" "$3/v240"
        name() {{ printf %08d $(($1 * 60000)); }}
        if [ "$6" = --from-ms ]; then
            cmp "$5/work/plan.json" {plan}
            index=$(($7 / 60000))
            {before_share}
            name=$(name $index)
            printf 'helper %s' $index > "$3/v240/$name.m4s"
            sed "s/NAME/$name/; s/START/$7/g" {record} > "$3/work/part"
            mv "$3/work/part" "$3/work/v240.$name.json"
            echo '{{"type":"done","duration_ms":60000,"bytes":8}}'
            exit 0
        fi
        cp {plan} "$3/work/plan.json"
        echo '{{"type":"progress","stage":"encode","permille":60,"left_ms":null}}'
        for index in 0 1 2 3 4 5 6 7 8 9; do
            name=$(name $index)
            if [ $index -ge {from} ] && [ $index -lt {until} ]; then
                while [ ! -e "$5/work/v240.$name.json" ]; do sleep 0.02; done
                cp "$5/v240/$name.m4s" "$3/v240/"
            else
                printf 'lead %s' $index > "$3/v240/$name.m4s"
            fi
        done
        rm -r "$3/work"
        mkdir "$3/opus16"
        printf init > "$3/opus16/init.mp4"; printf media > "$3/opus16/00000.m4s"
        printf '#EXTM3U' > "$3/master.m3u8"
        cat > "$3/timeline.json" <<'JSON'
{TIMELINE}
JSON
        echo '{{"type":"done","duration_ms":2000,"bytes":9}}'"#,
        expected = file(bench, "expected").display(),
        plan = file(bench, "plan").display(),
        record = file(bench, "record").display(),
        from = awaited.start,
        until = awaited.end,
    )
}

fn file(bench: &Bench, name: &str) -> PathBuf {
    bench.folder.path().join(name)
}

/// The stand-in in place, and a job for it.
async fn set_up(bench: &Bench, awaited: std::ops::Range<usize>, before_share: &str) {
    bench.upload().await;
    std::fs::write(file(bench, "plan"), PLAN).unwrap();
    std::fs::write(file(bench, "record"), record("helper 1".len())).unwrap();
    bench.transcoder(&program(bench, awaited, before_share));
}

/// The second node's folder.
fn beside(bench: &Bench) -> PathBuf {
    file(bench, "beside")
}

async fn help(bench: &Bench) -> Result<bool, crate::error::Error> {
    help::one(&bench.context, "helper", &beside(bench)).await
}

async fn until<F: Future<Output = bool>>(mut reached: impl FnMut() -> F) {
    while !reached().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn lead(bench: &Bench) -> Option<Ended> {
    let done = worker::one(&bench.context, "lead", &bench.work()).await;
    done.unwrap()
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// What the lesson shows of each segment.
async fn shown(bench: &Bench) -> Vec<String> {
    let objects = bench.objects();
    let mut texts = Vec::new();
    for index in 0..SEGMENTS {
        let name = Record::media("v240", index as u64 * 60_000);
        let key = objects.iter().find(|key| key.ends_with(&name)).unwrap();
        assert!(key.starts_with("media/"), "{key}");
        let key = Key::new(key.as_str()).unwrap();
        let bytes = bench.context.objects.get(&key).await.unwrap();
        texts.push(String::from_utf8(bytes.to_vec()).unwrap());
    }
    texts
}

async fn nothing_is_left(bench: &Bench) {
    let left = bench.objects();
    assert!(!left.iter().any(|key| key.starts_with("work/")), "{left:?}");
    for count in [
        "select count(*) from job_plan",
        "select count(*) from job_share",
        "select count(*) from job_parcel",
    ] {
        assert_eq!(bench.count(count).await, 0, "{count}");
    }
    assert!(is_empty(&bench.work()) && is_empty(&beside(bench)));
}

#[tokio::test]
async fn two_nodes_make_one_recording_together() {
    for bench in Bench::each().await {
        set_up(&bench, 1..SEGMENTS, "").await;
        let (ended, ()) = tokio::join!(
            lead(&bench),
            until(|| async { help(&bench).await.unwrap() })
        );
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(bench.count("select count(*) from timeline").await, 1);
        let mut expected = vec!["lead 0".to_owned()];
        expected.extend((1..SEGMENTS).map(|index| format!("helper {index}")));
        assert_eq!(shown(&bench).await, expected);
        nothing_is_left(&bench).await;
        assert!(!help(&bench).await.unwrap());
    }
}

#[tokio::test]
async fn a_share_that_fails_each_time_is_made_by_the_job_s_own_worker() {
    for bench in Bench::each().await {
        set_up(&bench, 1..9, "test $index -lt 9").await;
        let (ended, failures) = tokio::join!(lead(&bench), async {
            let mut failures = 0;
            loop {
                match help(&bench).await {
                    Ok(true) => return failures,
                    Ok(false) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(_) => failures += 1,
                }
            }
        });
        assert_eq!((ended, failures), (Some(Ended::Done), 2));
        let shown = shown(&bench).await;
        assert_eq!(
            (shown[8].as_str(), shown[9].as_str()),
            ("helper 8", "lead 9")
        );
        nothing_is_left(&bench).await;
    }
}

#[tokio::test]
async fn a_helper_whose_lease_ends_costs_its_share_alone() {
    for bench in Bench::each().await {
        set_up(&bench, 1..SEGMENTS, "").await;
        let (ended, ()) = tokio::join!(lead(&bench), async {
            let dead = loop {
                if let Some(share) = claim(&bench, "dies").await {
                    break share;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            assert_eq!(dead.number, 8, "the last one goes first");
            // The job's own worker renews its lease, the dead one does not.
            bench.pass(LEASE);
            until(|| async { help(&bench).await.unwrap() }).await;
            let mut transaction = bench.context.db.write().await.unwrap();
            let now = bench.context.clock.now();
            let late =
                store::begin_parcel(&mut transaction, &dead, super::ParcelId::new(), "", now);
            assert!(!late.await.unwrap());
        });
        assert_eq!(ended, Some(Ended::Done));
        assert_eq!(shown(&bench).await[9], "helper 9");
        nothing_is_left(&bench).await;
    }
}

async fn claim(bench: &Bench, owner: &str) -> Option<super::ShareLease> {
    let mut transaction = bench.context.db.write().await.unwrap();
    let now = bench.context.clock.now();
    let share = store::claim(&mut transaction, owner, now).await.unwrap();
    transaction.commit().await.unwrap();
    share
}

/// A job that somebody holds and others may help with.
async fn shared(bench: &Bench) -> crate::jobs::Lease {
    shared_by(bench, serde_json::from_str(PLAN).unwrap()).await
}

async fn shared_by(bench: &Bench, head: PlanHead) -> crate::jobs::Lease {
    let lease = bench.claim("lead").await.unwrap();
    let mut transaction = bench.context.db.write().await.unwrap();
    let now = bench.context.clock.now();
    let stretches = super::stretches(&head);
    let opened = store::open(&mut transaction, &lease, PLAN, &stretches, now);
    assert!(opened.await.unwrap());
    transaction.commit().await.unwrap();
    lease
}

#[tokio::test]
async fn a_later_file_ends_help_with_the_earlier_one() {
    for bench in Bench::each().await {
        let started = file(&bench, "started");
        let pipe = std::process::Command::new("mkfifo").arg(&started).status();
        assert!(pipe.unwrap().success());
        let hang = format!(
            r#"if [ $index = 8 ]; then echo > {}; exec sleep 1000; fi"#,
            started.display()
        );
        set_up(&bench, 1..SEGMENTS, &hang).await;
        shared(&bench).await;
        let (helped, ()) = tokio::join!(help(&bench), async {
            // The share before was handed over.
            tokio::fs::read(&started).await.unwrap();
            bench.upload().await;
        });
        assert!(helped.unwrap(), "it ended, although the program did not");
        assert!(is_empty(&beside(&bench)));
        assert_eq!(bench.count("select count(*) from job_parcel").await, 1);
        assert!(
            claim(&bench, "other").await.is_none(),
            "nobody goes on with it"
        );
        sweep::once(&bench.context).await.unwrap();
        nothing_is_left(&bench).await;
        assert_eq!(bench.status().await, Status::Queued);
    }
}

#[tokio::test]
async fn only_a_node_with_nothing_else_to_do_helps_another() {
    for bench in Bench::each().await {
        set_up(&bench, 1..SEGMENTS, "").await;
        let lease = shared(&bench).await;
        assert!(claim(&bench, "lead").await.is_none(), "its cores are taken");
        let first = claim(&bench, "helper").await.unwrap();
        assert!(claim(&bench, "helper").await.is_none(), "one at a time");
        let second = claim(&bench, "third").await.unwrap();
        assert_eq!((first.number, second.number), (8, 7));
        // What the job's own worker has reached is not given away.
        let mut transaction = bench.context.db.write().await.unwrap();
        let now = bench.context.clock.now();
        store::pass(&mut transaction, lease.job, 7 * 60_000, now)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        assert!(claim(&bench, "fourth").await.is_none());
        assert_eq!(
            bench
                .count("select count(*) from job_share where ended_at is null")
                .await,
            2
        );
    }
}

#[tokio::test]
async fn of_what_need_not_be_decoded_the_next_stretch_goes_first() {
    for bench in Bench::each().await {
        set_up(&bench, 1..SEGMENTS, "").await;
        let plan: PlanHead = serde_json::from_str(PLAN).unwrap();
        let lease = shared_by(
            &bench,
            PlanHead {
                leaves_undecoded: true,
                ..plan
            },
        )
        .await;
        let first = claim(&bench, "helper").await.unwrap();
        let mut transaction = bench.context.db.write().await.unwrap();
        let now = bench.context.clock.now();
        let passed = store::pass(&mut transaction, lease.job, 3 * 60_000, now);
        passed.await.unwrap();
        transaction.commit().await.unwrap();
        let second = claim(&bench, "third").await.unwrap();
        let starts = [first, second].map(|share| share.stretch.from_ms / 60_000);
        assert_eq!(starts, [1, 4]);
    }
}
