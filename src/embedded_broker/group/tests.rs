use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_mins(1);

fn request(member_id: &str, protocols: &[&str]) -> JoinRequest {
    JoinRequest {
        member_id: member_id.to_owned(),
        instance_id: None,
        client_id: "test".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: protocols.iter().map(|name| ((*name).to_owned(), Bytes::from_static(b"topics"))).collect(),
        new_member_id: format!("new-{member_id}"),
        must_come_back: false,
    }
}

fn by(member_id: &str, generation: i32) -> Membership<'_> {
    Membership { member_id, instance_id: None, generation }
}

type JoinAnswer = oneshot::Receiver<Result<Joined, JoinRefused>>;

fn join(group: &mut Group, request: JoinRequest, now: Instant) -> JoinAnswer {
    let (reply, answer) = oneshot::channel();
    group.join(request, now, reply);
    answer
}

/// Adds a new member under the id `name`.
fn enter(group: &mut Group, name: &str, now: Instant) -> JoinAnswer {
    let mut entering = request("", &["range", "sticky"]);
    name.clone_into(&mut entering.new_member_id);
    join(group, entering, now)
}

fn sync(
    group: &mut Group,
    member_id: &str,
    generation: i32,
    shares: &[(&str, &'static str)],
) -> oneshot::Receiver<Result<Synced, ResponseError>> {
    let (reply, answer) = oneshot::channel();
    let shares = shares.iter().map(|(id, share)| ((*id).to_owned(), Bytes::from(*share))).collect();
    group.sync(by(member_id, generation), shares, reply);
    answer
}

/// A stable group of `a` (leader) and `b` in its second generation.
fn pair(now: Instant) -> Group {
    let mut group = Group::default();
    enter(&mut group, "a", now).try_recv().unwrap().unwrap();
    let mut b = enter(&mut group, "b", now);
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty), "b waits for a");
    let mut a = join(&mut group, request("a", &["range", "sticky"]), now);
    assert_eq!(a.try_recv().unwrap().unwrap().members.len(), 2);
    assert_eq!(b.try_recv().unwrap().unwrap().members.len(), 0, "only the leader learns the members");
    let mut b = sync(&mut group, "b", 2, &[]);
    assert_eq!(b.try_recv(), Err(TryRecvError::Empty), "b waits for the leader");
    let mut a = sync(&mut group, "a", 2, &[("a", "first"), ("b", "second")]);
    assert_eq!(a.try_recv().unwrap().unwrap().assignment, "first");
    assert_eq!(b.try_recv().unwrap().unwrap().assignment, "second");
    assert_eq!(group.state_name(), "Stable");
    group
}

#[tokio::test]
async fn two_members_share_one_generation() {
    let now = Instant::now();
    let mut group = pair(now);
    assert_eq!(group.heartbeat(by("a", 2), now), Ok(()));
    assert_eq!(group.heartbeat(by("a", 1), now), Err(ResponseError::IllegalGeneration));
    assert_eq!(group.heartbeat(by("c", 2), now), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.may_commit(by("b", 2)), Ok(()));
    assert_eq!(group.may_commit(by("", -1)), Err(ResponseError::UnknownMemberId));
    let mut again = join(&mut group, request("b", &["range", "sticky"]), now);
    assert_eq!(again.try_recv().unwrap().unwrap().generation, 2, "a repeated request changes nothing");
}

#[tokio::test]
async fn a_member_that_leaves_makes_the_others_join_again() {
    let now = Instant::now();
    let mut group = pair(now);
    group.leave("a", None, now).unwrap();
    assert_eq!(group.heartbeat(by("b", 2), now), Err(ResponseError::RebalanceInProgress));
    let mut b = join(&mut group, request("b", &["range"]), now);
    let joined = b.try_recv().unwrap().unwrap();
    assert_eq!((joined.generation, joined.leader.as_str(), joined.members.len()), (3, "b", 1));
    let mut alone = sync(&mut group, "b", 3, &[("b", "all")]);
    assert_eq!(alone.try_recv().unwrap().unwrap().assignment, "all");
    assert_eq!(group.leave("a", None, now), Err(ResponseError::UnknownMemberId));
}

#[tokio::test]
async fn a_silent_member_is_removed_after_its_session() {
    let now = Instant::now();
    let mut group = pair(now);
    let later = now + SESSION / 2;
    group.heartbeat(by("a", 2), later).unwrap();
    group.tick(now + SESSION - Duration::from_millis(1));
    assert_eq!(group.state_name(), "Stable");
    group.tick(now + SESSION);
    assert_eq!(group.heartbeat(by("b", 2), later), Err(ResponseError::UnknownMemberId));
    assert_eq!(group.heartbeat(by("a", 2), later), Err(ResponseError::RebalanceInProgress));
}

#[tokio::test]
async fn a_rebalance_does_not_wait_longer_than_its_timeout() {
    let now = Instant::now();
    let mut group = pair(now);
    let mut c = enter(&mut group, "c", now);
    for at in [SESSION / 2, SESSION, SESSION * 2, SESSION * 3] {
        group.heartbeat(by("a", 2), now + at).ok();
        group.heartbeat(by("b", 2), now + at).ok();
        group.tick(now + at);
    }
    assert_eq!(c.try_recv(), Err(TryRecvError::Empty), "a and b are alive but do not join");
    group.tick(now + REBALANCE);
    let joined = c.try_recv().unwrap().unwrap();
    assert_eq!((joined.leader.as_str(), joined.members.len()), ("c", 1));
}

#[tokio::test]
async fn a_new_member_learns_its_id_before_it_counts() {
    let now = Instant::now();
    let mut group = Group::default();
    let entering = JoinRequest { must_come_back: true, ..request("", &["range"]) };
    let refused = join(&mut group, entering, now).try_recv().unwrap().unwrap_err();
    assert_eq!(refused, JoinRefused { error: ResponseError::MemberIdRequired, member_id: "new-".to_owned() });
    assert!(!group.is_idle());
    let joined = join(&mut group, request("new-", &["range"]), now).try_recv().unwrap().unwrap();
    assert_eq!(joined.generation, 1);
    let unknown = join(&mut group, request("made-up", &["range"]), now).try_recv().unwrap().unwrap_err();
    assert_eq!(unknown.error, ResponseError::UnknownMemberId);
}

#[tokio::test]
async fn members_use_a_protocol_that_all_of_them_know() {
    let now = Instant::now();
    let mut group = Group::default();
    enter(&mut group, "a", now).try_recv().unwrap().unwrap();
    let stranger = join(&mut group, request("", &["other"]), now).try_recv().unwrap().unwrap_err();
    assert_eq!(stranger.error, ResponseError::InconsistentGroupProtocol);
    let mut b = join(&mut group, request("", &["sticky"]), now);
    drop(join(&mut group, request("a", &["range", "sticky"]), now));
    assert_eq!(b.try_recv().unwrap().unwrap().protocol, "sticky");
}

#[tokio::test]
async fn a_restarted_member_with_an_instance_id_replaces_itself() {
    let now = Instant::now();
    let mut group = Group::default();
    let entering = |id: &str| JoinRequest {
        instance_id: Some("pod-1".to_owned()),
        new_member_id: id.to_owned(),
        must_come_back: true,
        ..request("", &["range"])
    };
    join(&mut group, entering("old"), now).try_recv().unwrap().unwrap();
    let joined = join(&mut group, entering("young"), now).try_recv().unwrap().unwrap();
    assert_eq!((joined.member_id.as_str(), joined.members.len()), ("young", 1));
    let mut ghost = request("old", &["range"]);
    ghost.instance_id = Some("pod-1".to_owned());
    assert_eq!(join(&mut group, ghost, now).try_recv().unwrap().unwrap_err().error, ResponseError::FencedInstanceId);
    group.leave("", Some("pod-1"), now).unwrap();
    assert!(group.is_idle());
}

/// Told that it is unknown, the older one would join again and push the younger one out, and so on.
#[tokio::test]
async fn of_two_processes_with_one_instance_id_the_older_one_is_fenced() {
    let now = Instant::now();
    let mut group = Group::default();
    let entering = |id: &str| JoinRequest {
        instance_id: Some("pod-1".to_owned()),
        new_member_id: id.to_owned(),
        ..request("", &["range"])
    };
    join(&mut group, entering("old"), now).try_recv().unwrap().unwrap();
    let of = |member_id, generation| Membership { member_id, instance_id: Some("pod-1"), generation };
    group.heartbeat(of("old", 1), now).unwrap();
    join(&mut group, entering("young"), now).try_recv().unwrap().unwrap();
    assert_eq!(group.heartbeat(of("old", 1), now), Err(ResponseError::FencedInstanceId));
    assert_eq!(group.may_commit(of("old", 1)), Err(ResponseError::FencedInstanceId));
    let (reply, mut answer) = oneshot::channel();
    group.sync(of("old", 1), Vec::new(), reply);
    assert_eq!(answer.try_recv().unwrap().unwrap_err(), ResponseError::FencedInstanceId);
    assert_eq!(group.leave("old", Some("pod-1"), now), Err(ResponseError::FencedInstanceId));
    group.heartbeat(of("young", 2), now).unwrap();
}

#[tokio::test]
async fn a_member_that_joins_again_is_alive() {
    let now = Instant::now();
    let mut group = pair(now);
    let later = now + SESSION / 2;
    group.heartbeat(by("a", 2), later).unwrap();
    drop(join(&mut group, request("b", &["range", "sticky"]), later));
    group.tick(now + SESSION);
    assert_eq!(group.heartbeat(by("b", 2), later), Ok(()));
}

#[tokio::test]
async fn a_group_does_not_grow_without_end() {
    let now = Instant::now();
    let mut group = Group::default();
    for nth in 0..MOST_MEMBERS {
        let entering = JoinRequest { must_come_back: true, new_member_id: nth.to_string(), ..request("", &["range"]) };
        let refused = join(&mut group, entering, now).try_recv().unwrap().unwrap_err();
        assert_eq!(refused.error, ResponseError::MemberIdRequired);
    }
    let refused = join(&mut group, request("", &["range"]), now).try_recv().unwrap().unwrap_err();
    assert_eq!(refused.error, ResponseError::GroupMaxSizeReached);
    let mut known = join(&mut group, request("7", &["range"]), now);
    assert_eq!(known.try_recv(), Err(TryRecvError::Empty), "it may come back, and waits for the others");
}
