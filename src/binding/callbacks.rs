//! Functions of JavaScript that the engine's thread calls. They are created only when the engine starts, because Jest reports
//! them as open handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;

use crate::engine::{LookUpServices, Observer, Report};

/// Log records that may wait for a busy event loop. Further ones are dropped, except warnings: each is sent only once.
const MAX_WAITING_RECORDS: usize = 1_000;

/// Calls `on_report` on the event loop with the code and the text of each report, and whether it is a warning. After the event
/// loop has ended, reports are dropped.
pub fn observer(on_report: Function<'_, FnArgs<(String, String, bool)>, ()>) -> napi::Result<Observer> {
    let waiting = Arc::new(AtomicUsize::new(0));
    let delivered = Arc::clone(&waiting);
    let on_report =
        on_report.build_threadsafe_function::<Report>().weak::<true>().callee_handled::<false>().build_callback(
            move |context| {
                delivered.fetch_sub(1, Ordering::Relaxed);
                let Report { code, message, is_warning } = context.value;
                Ok(FnArgs::from((code.into_owned(), message, is_warning)))
            },
        )?;
    Ok(Box::new(move |report| {
        if report.is_warning || waiting.load(Ordering::Relaxed) < MAX_WAITING_RECORDS {
            waiting.fetch_add(1, Ordering::Relaxed);
            on_report.call(report, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }))
}

/// Calls `on_look_up` on the event loop with the number of a look-up and a name.
pub fn look_up(on_look_up: Function<'_, FnArgs<(u32, String)>, ()>) -> napi::Result<LookUpServices> {
    let on_look_up = on_look_up
        .build_threadsafe_function::<(u32, String)>()
        .weak::<true>()
        .callee_handled::<false>()
        .build_callback(|context| Ok(FnArgs::from(context.value)))?;
    Ok(Box::new(move |number, name| {
        on_look_up.call((number, name), ThreadsafeFunctionCallMode::NonBlocking);
    }))
}
