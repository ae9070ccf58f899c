//! A directory of configuration, edited in every way that editors do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::watch::State;
use ::watch::directory::{Directory, Timing};

use crate::sources::ear::Ear;

fn gateway(name: &str, selector: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}}}\nspec: {{selector: {{istio: {selector}}}}}\n"
    )
}

fn listen(path: &Path) -> Ear {
    let timing = Timing {
        poll: Duration::from_millis(100),
        confirm: Duration::from_millis(100),
        ..Timing::default()
    };
    let directory = Directory::new(path, "directory").timing(timing);
    Ear::listen(directory.status(), |tx, status, shutdown| {
        directory.run(tx, status, shutdown)
    })
}

/// A directory with `a.yaml`, defining gateway `a`, and a source that has told of it.
async fn one_file() -> (tempfile::TempDir, PathBuf, Ear) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, gateway("a", "x")).unwrap();
    let mut ear = listen(dir.path());
    ear.until_list(1).await;
    ear.words();
    (dir, file, ear)
}

fn selector_is(ear: &Ear, name: &str, selector: &str) -> bool {
    let named = |o: &&api::istio::Object| &*o.key.name == name;
    let object = ear.objects.now.values().find(named);
    object.is_some_and(|o| o.spec["selector"]["istio"] == selector)
}

fn names(ear: &Ear) -> Vec<&str> {
    ear.objects.now.keys().map(|key| &*key.name).collect()
}

#[tokio::test]
async fn the_first_list_is_in_order_of_file_and_document() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(
        dir.path().join("b.yml"),
        gateway("z", "x") + &gateway("y", "x"),
    )
    .unwrap();
    fs::write(dir.path().join("a.yaml"), gateway("m", "x") + "---\n").unwrap();
    fs::write(dir.path().join("sub/c.yaml"), gateway("k", "x")).unwrap();
    let mut ear = listen(dir.path());
    ear.until_list(1).await;
    assert_eq!(
        ear.words(),
        ["init", "init+ m", "init+ z", "init+ y", "init+ k", "done"]
    );
    ear.until_status("synced", |s| s.synced && s.state == State::Streaming)
        .await;
    assert_eq!(ear.status().resyncs, 1);
}

#[tokio::test]
async fn an_empty_directory_is_a_complete_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut ear = listen(dir.path());
    ear.until_list(1).await;
    assert_eq!(ear.words(), ["init", "done"]);
}

#[tokio::test]
async fn a_new_file_and_a_new_subdirectory_are_found() {
    let (dir, _, mut ear) = one_file().await;
    fs::write(dir.path().join("b.yaml"), gateway("b", "x")).unwrap();
    ear.until("b", |ear| names(ear) == ["a", "b"]).await;
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/c.yaml"), gateway("c", "x")).unwrap();
    ear.until("c", |ear| names(ear) == ["a", "b", "c"]).await;
    assert_eq!(ear.words(), ["+ b", "+ c"]);
}

#[tokio::test]
async fn an_edit_in_place_tells_only_what_changed() {
    let (_dir, file, mut ear) = one_file().await;
    fs::write(&file, gateway("a", "x") + &gateway("b", "x")).unwrap();
    ear.until("b", |ear| selector_is(ear, "b", "x")).await;
    fs::write(&file, gateway("a", "x") + &gateway("b", "y")).unwrap();
    ear.until("b edited", |ear| selector_is(ear, "b", "y"))
        .await;
    assert_eq!(ear.words(), ["+ b", "+ b"]);
}

#[tokio::test]
async fn a_file_renamed_over_another_is_an_edit() {
    let (dir, file, mut ear) = one_file().await;
    let new = dir.path().join(".a.yaml.tmp");
    fs::write(&new, gateway("a", "y")).unwrap();
    fs::rename(&new, &file).unwrap();
    ear.until("edited", |ear| selector_is(ear, "a", "y")).await;
    assert_eq!(ear.words(), ["+ a"]);
}

#[tokio::test]
async fn a_moved_line_updates_the_location() {
    let (_dir, file, mut ear) = one_file().await;
    fs::write(&file, "\n\n".to_owned() + &gateway("a", "x")).unwrap();
    let line = |ear: &Ear| {
        ear.objects
            .now
            .values()
            .next()
            .unwrap()
            .location
            .as_ref()
            .unwrap()
            .line
    };
    ear.until("moved", |ear| line(ear) == 4).await;
}

#[tokio::test]
async fn a_deleted_file_takes_its_objects_along_also_the_last_one() {
    let (dir, file, mut ear) = one_file().await;
    let other = dir.path().join("b.yaml");
    fs::write(&other, gateway("b", "x")).unwrap();
    ear.until("b", |ear| names(ear) == ["a", "b"]).await;
    fs::remove_file(&file).unwrap();
    ear.until("a gone", |ear| names(ear) == ["b"]).await;
    fs::remove_file(&other).unwrap();
    ear.until("b gone", |ear| ear.objects.now.is_empty()).await;
    assert_eq!(ear.words(), ["+ b", "- a", "- b"]);
}

#[tokio::test]
async fn a_broken_document_keeps_the_last_good_one_until_it_is_fixed() {
    let (dir, file, mut ear) = one_file().await;
    fs::write(&file, "---\nkind: [\n".to_owned() + &gateway("b", "x")).unwrap();
    ear.until("b beside the broken one", |ear| names(ear) == ["a", "b"])
        .await;
    assert_eq!(ear.codes(), ["PH0101"]);
    let problem = &ear.problems[0];
    let place = problem.location.as_ref().unwrap();
    assert_eq!(*place.file, *file.to_str().unwrap());
    assert!((2..=3).contains(&place.line), "{place}");
    assert!(
        problem.effect.contains("Gateway default/a"),
        "{}",
        problem.effect
    );
    // A neighbour changes while the file is broken.
    fs::write(dir.path().join("c.yaml"), gateway("c", "x")).unwrap();
    ear.until("c", |ear| names(ear) == ["a", "b", "c"]).await;
    fs::write(&file, gateway("a", "y")).unwrap();
    ear.until("fixed", |ear| {
        selector_is(ear, "a", "y") && names(ear) == ["a", "c"]
    })
    .await;
    assert_eq!(ear.codes(), [""; 0]);
}

#[tokio::test]
async fn of_two_files_with_the_same_object_the_first_wins_and_the_second_inherits() {
    let (dir, file, mut ear) = one_file().await;
    fs::write(dir.path().join("b.yaml"), gateway("a", "y")).unwrap();
    ear.until("the clash", |ear| ear.codes() == ["PH0103"])
        .await;
    assert!(selector_is(&ear, "a", "x"));
    assert!(
        ear.problems[0].why.contains("a.yaml:2"),
        "{}",
        ear.problems[0].why
    );
    fs::remove_file(&file).unwrap();
    ear.until("the heir", |ear| selector_is(ear, "a", "y"))
        .await;
    assert_eq!(ear.words(), ["problems 1", "problems 0", "+ a"]);
}

#[tokio::test]
async fn a_missing_directory_is_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later");
    let mut ear = listen(&path);
    ear.until("the problem", |ear| ear.codes() == ["PH0105"])
        .await;
    ear.until_status("retrying", |s| matches!(s.state, State::Retrying { .. }))
        .await;
    assert!(!ear.status().synced);
    assert_eq!(ear.words(), ["problems 1"]);
    fs::create_dir(&path).unwrap();
    ear.until_list(1).await;
    assert_eq!(ear.words(), ["problems 0", "init", "done"]);
}

#[tokio::test]
async fn a_directory_that_vanishes_leaves_everything_as_it_was() {
    let (dir, _, mut ear) = one_file().await;
    let aside = tempfile::tempdir().unwrap();
    fs::rename(dir.path(), aside.path().join("x")).unwrap();
    ear.until("the problem", |ear| ear.codes() == ["PH0105"])
        .await;
    assert_eq!(names(&ear), ["a"]);
    fs::create_dir(dir.path()).unwrap();
    fs::write(dir.path().join("a.yaml"), gateway("a", "y")).unwrap();
    ear.until("back", |ear| {
        selector_is(ear, "a", "y") && ear.problems.is_empty()
    })
    .await;
    assert!(!ear.words().contains(&"- a".to_owned()));
    // The new directory is watched like the old one.
    fs::write(dir.path().join("b.yaml"), gateway("b", "x")).unwrap();
    ear.until("b", |ear| names(ear) == ["a", "b"]).await;
}

#[tokio::test]
async fn notices_are_enough_without_the_slow_scan() {
    let dir = tempfile::tempdir().unwrap();
    let timing = Timing {
        poll: Duration::from_secs(3600),
        ..Timing::default()
    };
    let directory = Directory::new(dir.path(), "directory").timing(timing);
    let mut ear = Ear::listen(directory.status(), |tx, status, shutdown| {
        directory.run(tx, status, shutdown)
    });
    ear.until_list(1).await;
    let file = dir.path().join("a.yaml");
    for round in ["x", "y", "z"] {
        fs::write(&file, gateway("a", round)).unwrap();
        ear.until(round, |ear| selector_is(ear, "a", round)).await;
    }
    let aside = tempfile::tempdir_in(dir.path().parent().unwrap()).unwrap();
    fs::write(aside.path().join("new"), gateway("a", "moved")).unwrap();
    fs::rename(aside.path().join("new"), &file).unwrap();
    ear.until("renamed over", |ear| selector_is(ear, "a", "moved"))
        .await;
    fs::remove_file(&file).unwrap();
    ear.until("removed", |ear| ear.objects.now.is_empty()).await;
}
