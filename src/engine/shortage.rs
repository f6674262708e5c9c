//! Distinguishes a shortage of this process or machine (descriptors, memory, threads) from a failure of a peer.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};

/// The error numbers: no descriptors left in the process or the system, no memory, no buffers.
#[cfg(unix)]
const NUMBERS: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
/// `WSAEMFILE`, `WSAENOBUFS`, `ERROR_NOT_ENOUGH_MEMORY`, `ERROR_NO_SYSTEM_RESOURCES`.
#[cfg(windows)]
const NUMBERS: [i32; 4] = [10_024, 10_055, 8, 1_450];
#[cfg(not(any(unix, windows)))]
const NUMBERS: [i32; 0] = [];

/// Whether an error means that this process or machine lacks a resource at present.
pub fn is_shortage(error: &io::Error) -> bool {
    // `EAGAIN` is `WouldBlock`: no thread, or no port.
    matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock)
        || error.raw_os_error().is_some_and(|number| NUMBERS.contains(&number))
}

/// The shortage that caused an error, if any.
pub fn shortage_behind<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    loop {
        if let Some(shortage) = error.downcast_ref().filter(|error| is_shortage(error)) {
            return Some(shortage);
        }
        error = error.source()?;
    }
}

/// The shortage behind a failed name lookup. If the resolver cannot open a socket, it reports an unknown name.
pub fn hidden_shortage() -> Option<io::Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).err().filter(is_shortage)
}
