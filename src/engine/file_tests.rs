//! Tests of `LockedFile`: links and pipes with its names, modes, and a lock that another process holds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::file::{LockError, LockedFile};
use super::http::{ClientFactory, TlsFiles};
use super::list_http::ListClient;
use super::list_store::{LOCK_PATIENCE, ListStore};
use super::state_file::StateFile;
use super::workers::Workers;
use crate::config::{Config, Environment};
use crate::message::Message;
use crate::protocol::WriteError;

const WAIT: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(100);

/// A folder that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("clustershazbot-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).expect("a folder").flatten();
        let mut names: Vec<_> = names.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn workers() -> Arc<Workers> {
    Arc::new(Workers::start("test").expect("a thread"))
}

fn write(file: &LockedFile, content: &str, unchanged: Option<&str>) -> Result<bool, String> {
    run(async {
        let lock = file.lock(WAIT).await.map_err(|error| error.why)?;
        file.replace(content.into(), Some(lock), unchanged.map(Into::into), WAIT).await
    })
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).expect("a file").permissions()) & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("a file");
}

#[cfg(unix)]
#[test]
fn symbolic_links_named_like_the_lock_or_temporary_file_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("links");
    let (list, victim, lock) = (folder.file("list.json"), folder.file("victim"), folder.file("list.json.lock"));
    fs::write(&victim, "precious").expect("a file");
    symlink(&victim, &lock).expect("a link");
    symlink(&victim, folder.file("list.json.new")).expect("a link");
    let file = LockedFile::new(list.clone(), &workers());
    let error = write(&file, "{}", None).expect_err("refused");
    assert!(error.contains("list.json.lock: it is a symbolic link"), "{error}");
    fs::remove_file(&lock).expect("the link");
    // A dangling link must not create its target.
    symlink(folder.file("absent"), &lock).expect("a link");
    assert!(write(&file, "{}", None).is_err());
    fs::remove_file(&lock).expect("the link");
    assert_eq!(write(&file, "{}", None), Ok(true));
    assert_eq!((text(&list), text(&victim)), ("{}".into(), "precious".into()));
    assert_eq!(folder.names(), ["list.json", "list.json.lock", "list.json.new", "victim"], "no temporary file is left");
}

#[test]
fn a_lock_file_that_holds_something_is_not_truncated() {
    let folder = Folder::new("truncate");
    let lock = folder.file("list.json.lock");
    fs::write(&lock, "precious").expect("a file");
    assert_eq!(write(&LockedFile::new(folder.file("list.json"), &workers()), "{}", None), Ok(true));
    assert_eq!(text(&lock), "precious");
}

#[cfg(unix)]
#[test]
fn a_pipe_named_like_the_file_is_refused_and_blocks_nothing() {
    let folder = Folder::new("pipe");
    let list = folder.file("list.json");
    for name in ["list.json", "list.json.lock"] {
        let made = std::process::Command::new("mkfifo").arg(folder.file(name)).status();
        assert!(made.expect("mkfifo").success());
    }
    let file = LockedFile::new(list, &workers());
    let error = run(file.read(10, WAIT)).expect_err("refused");
    assert!(error.contains("not a regular file"), "{error}");
    let error = run(file.lock(WAIT)).err().expect("refused");
    assert!(!error.is_held && error.why.contains("not a regular file"), "{}", error.why);
}

#[cfg(unix)]
#[test]
fn a_list_keeps_its_mode_and_only_its_writers_may_hold_its_lock() {
    let folder = Folder::new("modes");
    let (list, lock) = (folder.file("list.json"), folder.file("list.json.lock"));
    let file = LockedFile::new(list.clone(), &workers());
    assert_eq!(write(&file, "{}", None), Ok(true));
    assert_eq!(mode(&lock), 0o600);
    set_mode(&list, 0o644);
    assert_eq!(write(&file, "{} ", None), Ok(true));
    assert_eq!(mode(&list), 0o644);
    set_mode(&list, 0o664);
    fs::remove_file(&lock).expect("the lock");
    assert_eq!(write(&file, "{}", None), Ok(true));
    assert_eq!((mode(&list), mode(&lock)), (0o664, 0o660));
}

#[cfg(unix)]
#[test]
fn a_state_file_can_be_read_by_this_user_alone_and_does_not_follow_links() {
    let folder = Folder::new("state");
    let (path, victim) = (folder.file("state.json"), folder.file("victim"));
    fs::write(&victim, "precious").expect("a file");
    std::os::unix::fs::symlink(&victim, folder.file("state.json.new")).expect("a link");
    fs::write(&path, "{}").expect("a file");
    set_mode(&path, 0o666);
    run(StateFile::new(path.clone(), &workers()).save(&Message::default())).expect("it is saved");
    assert_eq!((mode(&path), text(&victim)), (0o600, "precious".into()));
    assert!(text(&path).contains("online"));
}

#[test]
fn a_file_that_has_changed_since_it_was_read_is_not_replaced() {
    let folder = Folder::new("changed");
    let list = folder.file("list.json");
    let file = LockedFile::new(list.clone(), &workers());
    assert_eq!(write(&file, "mine", Some("")), Ok(true), "there was none");
    fs::write(&list, "another's").expect("a file");
    assert_eq!(write(&file, "mine again", Some("mine")), Ok(false));
    assert_eq!(text(&list), "another's");
    assert_eq!(folder.names(), ["list.json", "list.json.lock"], "no temporary file is left");
}

#[test]
fn no_access_to_a_file_blocks_the_thread_that_asks() {
    let folder = Folder::new("hung");
    let file = LockedFile::new(folder.file("list.json"), &workers());
    let lock = run(file.lock(WAIT)).ok().expect("the lock");
    let (release, released) = std::sync::mpsc::channel::<()>();
    // A hung volume.
    let hung = file.hang(move || assert!(released.recv().is_err()));
    run(async {
        assert!(tokio::time::timeout(SOON, hung).await.is_err());
        assert!(file.lock(SOON).await.is_err_and(|LockError { is_held, .. }| !is_held));
        assert!(file.read(10, SOON).await.is_err());
        assert!(file.replace(Vec::new(), Some(lock), None, SOON).await.is_err());
    });
    drop(release);
    assert_eq!(run(file.read(10, WAIT)), Ok(Vec::new()), "it works again when the volume does");
}

#[test]
fn a_list_locked_by_another_process_is_read_and_written_after_a_while() {
    let folder = Folder::new("held");
    let list = folder.file("list.json");
    fs::write(&list, "old").expect("a file");
    let variables = [
        ("SHAZBOT_SECRET", "a gossip secret"),
        ("SHAZBOT_CONTROL_SECRET", "a control secret"),
        ("SHAZBOT_BASE_URL", "http://own/"),
    ];
    let mut environment: Environment = variables.map(|(name, value)| (name.into(), value.into())).into();
    let list_url = url::Url::from_file_path(&list).expect("a path").to_string();
    environment.insert("SHAZBOT_MASTER_LIST".into(), list_url);
    let config = Config::from_environment(&environment).expect("valid");
    let workers = workers();
    let (factory, _) = ClientFactory::new(&config.network, &workers, TlsFiles::default()).expect("no proxies");
    let client = ListClient::new(&factory, &config.master_lists).expect("a client");
    let store = ListStore::new(config.master_lists.lists[0].clone(), &workers);
    let holder = File::create(folder.file("list.json.lock")).expect("a file");
    holder.lock().expect("the lock");

    let update = |meanwhile: &str| {
        run(async {
            let content = store.read(&client, true, false, 4 * SOON).await.expect("it is read");
            assert_eq!(content.json.as_deref(), Some(text(&list).as_bytes()));
            if !meanwhile.is_empty() {
                fs::write(&list, meanwhile).expect("a file");
            }
            store.write(&client, b"new".to_vec(), content, WAIT).await
        })
    };
    for _ in 0..LOCK_PATIENCE.1 {
        let Err(WriteError::Failed(why)) = update("") else { panic!("it is written") };
        assert!(why.contains("another process holds its lock") && why.contains("list.json.lock"), "{why}");
    }
    store.set_locked_since(Instant::now().checked_sub(LOCK_PATIENCE.0).expect("a time"));
    assert_eq!(update("another's"), Err(WriteError::Conflict), "somebody else writes too");
    assert_eq!(update(""), Ok(false));
    assert_eq!(text(&list), "new");
    drop(holder);
    assert_eq!(update(""), Ok(true), "with the lock again");
}

#[test]
fn a_write_removes_only_old_temporary_files_that_a_killed_process_left() {
    let folder = Folder::new("leftovers");
    let file = LockedFile::new(folder.file("list"), &workers());
    let old = SystemTime::now() - Duration::from_secs(120);
    let kept = ["list.0123456789abcde.new", "list.0123456789ABCDEF.new", "list.new", "other.0123456789abcdef.new"];
    for name in kept.into_iter().chain(["list.0123456789abcdef.new", "list.fedcba9876543210.new"]) {
        let file = File::create(folder.file(name)).expect("a file");
        if !name.contains("fedc") {
            file.set_modified(old).expect("a time");
        }
    }
    fs::create_dir(folder.file("list.1111111111111111.new")).expect("a folder");
    assert_eq!(write(&file, "content", None), Ok(true));
    let mut expected =
        [&kept[..], &["list", "list.lock", "list.fedcba9876543210.new", "list.1111111111111111.new"]].concat();
    expected.sort_unstable();
    assert_eq!(folder.names(), expected);
}
