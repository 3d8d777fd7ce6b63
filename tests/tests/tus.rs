//! Uploads by tus 1.0.0 as any client may send them, and that nothing is left of what was refused,
//! given up or forgotten.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millet_server::objects::{Key, Objects, ObjectsError};
use millet_tests::kit::{Course, Engines, Server, Storage, Village, Visitor, until};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use sha1::{Digest as _, Sha1};

const LARGEST: &str = "5000000";

struct Teacher {
    visitor: Visitor,
    village: Village,
    objects: Objects,
    lesson: String,
}

impl Teacher {
    async fn of(storage: &Storage, server: &Server, village: Village) -> Self {
        let (_, lesson) = Course::draft(&village).await;
        Self {
            visitor: Visitor::signed_in(server.address, "teacher").await,
            objects: Objects::open(storage.objects()).await.unwrap(),
            lesson: lesson.lesson().to_string(),
            village,
        }
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.visitor
            .call(method, path)
            .header("tus-resumable", "1.0.0")
    }

    async fn create(&self, length: usize, media_type: &str) -> Response {
        let metadata = format!(
            "filename {},filetype {},lesson_id {}",
            STANDARD.encode("课.mp4"),
            STANDARD.encode(media_type),
            STANDARD.encode(&self.lesson)
        );
        self.call(Method::POST, "/uploads")
            .header("upload-length", length)
            .header("upload-metadata", metadata)
            .send()
            .await
            .unwrap()
    }

    async fn begun(&self, length: usize) -> String {
        let created = self.create(length, "video/mp4").await;
        assert_eq!(created.status(), 201);
        assert!(created.headers().contains_key("upload-expires"));
        created.headers()["location"].to_str().unwrap().to_owned()
    }

    async fn patch(&self, place: &str, offset: usize, body: &[u8], checksum: &str) -> Response {
        let mut request = self
            .call(Method::PATCH, place)
            .header("upload-offset", offset)
            .header("content-type", "application/offset+octet-stream");
        if !checksum.is_empty() {
            request = request.header("upload-checksum", checksum);
        }
        request.body(body.to_vec()).send().await.unwrap()
    }

    async fn head(&self, place: &str) -> Response {
        self.call(Method::HEAD, place).send().await.unwrap()
    }

    /// Keys of all parts that any upload has.
    async fn parts(&self) -> Vec<String> {
        let mut connection = self.village.db.read().await.unwrap();
        let rows: Vec<(String,)> = sqlx::query_as("select object_key from upload_part")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        rows.into_iter().map(|(key,)| key).collect()
    }

    async fn are_gone(&self, parts: &[String]) -> bool {
        for part in parts {
            let key = Key::new(part.as_str()).unwrap();
            if !matches!(self.objects.size(&key).await, Err(ObjectsError::NotFound)) {
                return false;
            }
        }
        true
    }
}

fn sha1_of(bytes: &[u8]) -> String {
    format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)))
}

fn speaks_tus(headers: &HeaderMap) {
    assert_eq!(headers["tus-resumable"], "1.0.0", "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_follows_tus_and_leaves_nothing_behind() {
    for engines in Engines::ALL {
        let storage = engines.storage().await;
        let village = Village::found(storage.db().await).await;
        let arguments = ["--upload-max-bytes", LARGEST];
        let server = Server::start_with(&storage, &arguments).await;
        let teacher = Teacher::of(&storage, &server, village).await;
        says_what_it_can(&teacher).await;
        refuses_what_it_cannot_take(&teacher).await;
        keeps_only_what_fits(&teacher).await;
        let teacher = forgets_the_expired(teacher, server, &storage).await;
        assert_eq!(teacher.parts().await, [] as [String; 0], "{engines:?}");
    }
}

async fn says_what_it_can(teacher: &Teacher) {
    let options = teacher.visitor.call(Method::OPTIONS, "/uploads");
    let options = options.send().await.unwrap();
    assert_eq!(options.status(), 204);
    let headers = options.headers();
    speaks_tus(headers);
    assert_eq!(headers["tus-version"], "1.0.0");
    assert_eq!(headers["tus-max-size"], LARGEST);
    for extension in ["creation", "expiration", "checksum", "termination"] {
        let all = headers["tus-extension"].to_str().unwrap();
        assert!(all.split(',').any(|word| word == extension), "{extension}");
    }
}

async fn refuses_what_it_cannot_take(teacher: &Teacher) {
    for version in [None, Some("0.2.2")] {
        let mut request = teacher.visitor.call(Method::POST, "/uploads");
        if let Some(version) = version {
            request = request.header("tus-resumable", version);
        }
        let refused = request.header("upload-length", 7).send().await.unwrap();
        assert_eq!(refused.status(), 412);
        speaks_tus(refused.headers());
        assert_eq!(refused.headers()["tus-version"], "1.0.0");
    }
    for (length, media_type, status) in [
        (5_000_001, "video/mp4", 413),
        (1_000, "application/pdf", 415),
        (0, "video/mp4", 422),
    ] {
        let refused = teacher.create(length, media_type).await;
        assert_eq!(refused.status(), status, "{media_type} of {length} bytes");
        speaks_tus(refused.headers());
    }
}

async fn keeps_only_what_fits(teacher: &Teacher) {
    let content = b"not really a video";
    let place = teacher.begun(content.len()).await;
    let (first, rest) = content.split_at(7);

    let refused = teacher.patch(&place, 0, first, &sha1_of(rest)).await;
    assert_eq!(refused.status(), 460);
    speaks_tus(refused.headers());
    assert_eq!(teacher.head(&place).await.headers()["upload-offset"], "0");
    assert_eq!(teacher.parts().await, [] as [String; 0]);
    let unknown = teacher.patch(&place, 0, first, "md5 AAAA").await;
    assert_eq!(unknown.status(), 400);

    let kept = teacher.patch(&place, 0, first, &sha1_of(first)).await;
    assert_eq!(kept.status(), 204);
    assert_eq!(kept.headers()["upload-offset"], "7");
    for offset in [0, 8] {
        let conflict = teacher.patch(&place, offset, rest, "").await;
        assert_eq!(conflict.status(), 409, "at {offset}");
        speaks_tus(conflict.headers());
    }
    let too_much = teacher.patch(&place, 7, content, "").await;
    assert_eq!(too_much.status(), 400);
    let head = teacher.head(&place).await;
    assert_eq!(head.headers()["upload-offset"], "7");
    assert_eq!(head.headers()["upload-length"], "18");

    let parts = teacher.parts().await;
    assert_eq!(parts.len(), 1);
    assert!(!teacher.are_gone(&parts).await);
    let ended = teacher.call(Method::DELETE, &place).send().await.unwrap();
    assert_eq!(ended.status(), 204);
    speaks_tus(ended.headers());
    assert!(teacher.are_gone(&parts).await);
    assert_eq!(teacher.parts().await, [] as [String; 0]);
    for answer in [
        teacher.head(&place).await,
        teacher.patch(&place, 7, rest, "").await,
    ] {
        assert_eq!(answer.status(), 410);
        speaks_tus(answer.headers());
    }
}

/// An upload that got no bytes for too long is gone, and the sweep of the next start removes it.
async fn forgets_the_expired(teacher: Teacher, server: Server, storage: &Storage) -> Teacher {
    let place = teacher.begun(100).await;
    let kept = teacher.patch(&place, 0, b"the first bytes", "").await;
    assert_eq!(kept.status(), 204);
    let parts = teacher.parts().await;
    assert_eq!(parts.len(), 1);
    let mut tx = teacher.village.db.write().await.unwrap();
    sqlx::query("update upload set expires_at = 1 where completed_at is null")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(teacher.head(&place).await.status(), 410);
    let late = teacher.patch(&place, 15, b"more", "").await;
    assert_eq!(late.status(), 410);
    server.kill().await;
    let server = Server::start(storage).await;
    until("the sweeper was here", Duration::from_secs(30), || async {
        (teacher.parts().await.is_empty() && teacher.are_gone(&parts).await).then_some(())
    })
    .await;
    server.kill().await;
    teacher
}
