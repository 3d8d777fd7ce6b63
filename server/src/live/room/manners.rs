//! What a room does in one case each.

use super::act::{Act, Poll, Refusal, Role};
use super::board::testing::stroke;
use super::decide::{Newcomer, Outcome};
use super::laws::{PEOPLE, Room, Step, id, newcomer, who};
use super::limits::GROUP_PAGE;
use super::state::Standing;
use super::told::Happened;
use crate::id::PollId;

#[test]
fn a_wiped_page_is_empty_and_the_others_are_not() {
    let mut room = Room::full();
    for page in [0, 1] {
        room.act(
            0,
            Act::Draw {
                stroke: stroke(page, 0),
            },
        );
    }
    room.act(0, Act::Wipe { page: 0 });
    assert_eq!(
        (room.state.board.lines(0), room.state.board.lines(1)),
        (0, 1)
    );
    let events = room.events.len();
    room.act(
        0,
        Act::Undo {
            page: 0,
            stroke: None,
        },
    );
    room.act(0, Act::Wipe { page: 0 });
    assert_eq!(room.events.len(), events, "there is nothing to take back");
    room.check();
}

#[test]
fn small_groups_have_a_board_and_a_chat_of_their_own() {
    let mut room = Room::full();
    // Three learners: 2 and 4 are the first group, 3 is the second.
    room.act(0, Act::OpenGroups { count: 2 });
    let (mine, theirs) = (GROUP_PAGE, GROUP_PAGE + 1);
    room.act(
        2,
        Act::Draw {
            stroke: stroke(mine, 0),
        },
    );
    room.act(
        2,
        Act::Draw {
            stroke: stroke(theirs, 0),
        },
    );
    room.act(
        2,
        Act::Draw {
            stroke: stroke(0, 0),
        },
    );
    let lines = |page| room.state.board.lines(page);
    assert_eq!((lines(mine), lines(theirs), lines(0)), (1, 0, 0));
    let secret = |text: &str| Act::Chat {
        text: text.into(),
        group: Some(0),
    };
    room.act(4, secret("four plus four"));
    room.act(3, secret("is not mine"));
    let chat = |number| room.state.snapshot_for(who(number)).chat;
    assert_eq!(chat(2).len(), 1);
    assert_eq!(chat(0).len(), 1, "leaders read along");
    assert!(chat(3).is_empty() && chat(6).is_empty());

    // Leaders look at a group's board, draw on it and write to it; another group does not notice.
    let looks = |number, page| {
        let look = Act::LookAtBoard { page };
        room.state.decide(who(number), &look, 0)
    };
    assert_eq!(looks(0, theirs), Ok(Outcome::Board(theirs)));
    assert_eq!(looks(3, theirs), Ok(Outcome::Board(theirs)));
    assert_eq!(looks(3, mine), Err(Refusal::NotAllowed));
    assert_eq!(looks(0, GROUP_PAGE + 2), Err(Refusal::NotAllowed));
    room.act(
        0,
        Act::Draw {
            stroke: stroke(mine, 3),
        },
    );
    room.act(0, secret("look at the red line"));
    assert_eq!(room.state.board.lines(mine), 2);
    let chat = |number| room.state.snapshot_for(who(number)).chat;
    assert_eq!((chat(2).len(), chat(3).len()), (2, 0));
    room.act(0, Act::CloseGroups);
    assert_eq!(room.state.board.lines(mine), 0);
    room.check();
}

#[test]
fn who_comes_late_finds_the_smallest_group() {
    let mut room = Room::full();
    room.act(0, Act::OpenGroups { count: 2 });
    room.act(0, Act::Admit { who: who(5) });
    assert_eq!(room.state.group_of(who(5)), Some(1));
    room.check();
}

#[test]
fn nobody_reaches_above_the_own_part() {
    let mut room = Room::full();
    let events = room.events.len();
    for number in 2..PEOPLE {
        for act in [
            Act::Lock { on: true },
            Act::Mute {
                who: who(0),
                on: true,
            },
            Act::GiveFloor { to: who(number) },
            Act::Draw {
                stroke: stroke(0, 0),
            },
            Act::SetRole {
                who: who(number),
                role: Role::CoHost,
            },
            Act::HideChat { sequence: 1 },
            Act::End,
        ] {
            room.act(number, act);
        }
    }
    for act in [
        Act::Remove { who: who(0) },
        Act::SetRole {
            who: who(2),
            role: Role::CoHost,
        },
        Act::SetRole {
            who: who(1),
            role: Role::Host,
        },
        Act::Mute {
            who: who(1),
            on: true,
        },
    ] {
        room.act(1, act);
    }
    assert_eq!(room.events.len(), events, "{:?}", &room.events[events..]);
    room.act(
        0,
        Act::SetRole {
            who: who(2),
            role: Role::CoHost,
        },
    );
    room.act(2, Act::Lock { on: true });
    assert!(room.state.locked);
}

#[test]
fn a_muted_learner_is_silent_and_a_removed_one_does_not_come_back() {
    let mut room = Room::full();
    room.act(0, Act::GiveFloor { to: who(2) });
    room.act(
        1,
        Act::Mute {
            who: who(2),
            on: true,
        },
    );
    assert_eq!(room.state.floors().count(), 0);
    let say = |text: &str| Act::Chat {
        text: text.into(),
        group: None,
    };
    room.act(2, say("hello"));
    assert!(room.state.chat.is_empty());
    room.act(1, Act::Remove { who: who(2) });
    room.step(&Step::Come(2), 0);
    assert_eq!(room.state.standing(who(2)), Standing::Outside);
    room.check();
}

#[test]
fn a_locked_room_lets_those_in_who_were_there() {
    let mut room = Room::full();
    room.step(&Step::Leave(3), 10);
    room.act(0, Act::Lock { on: true });
    room.step(&Step::Come(3), 20);
    assert!(room.state.inside(who(3)).unwrap().present);
    let late = Newcomer {
        id: who(50),
        ..newcomer(4)
    };
    let happened = room.state.come(&late).unwrap();
    assert!(matches!(happened[..], [Happened::Waits { .. }]));
}

#[test]
fn a_quiz_tells_its_answer_when_it_is_closed() {
    let mut room = Room::full();
    let poll = id::<PollId>(800);
    let asked = Poll {
        id: poll,
        question: "Two and two?".into(),
        options: vec!["four".into(), "five".into()],
        right: Some(0),
    };
    room.act(0, Act::OpenPoll { poll: asked });
    for (number, option) in [(2, 1), (3, 1), (3, 0), (0, 0)] {
        room.act(number, Act::Answer { poll, option });
    }
    let seen = |number| room.state.snapshot_for(who(number)).polls.remove(0);
    assert_eq!(seen(0).counts, [1, 1]);
    assert_eq!((seen(2).own, seen(2).poll.right), (Some(1), None));
    room.act(0, Act::ClosePoll { poll });
    room.act(2, Act::Answer { poll, option: 0 });
    let seen = room.state.snapshot_for(who(2)).polls.remove(0);
    assert_eq!((seen.counts, seen.poll.right), (vec![1, 1], Some(0)));
    let last = room.events.last().unwrap();
    assert!(matches!(
        last.happened,
        Happened::PollCount {
            closed: true,
            right: Some(0),
            ..
        }
    ));
    room.check();
}
