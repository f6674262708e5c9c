//! Answers a large gossip request on another thread than the event loop.

use napi::bindgen_prelude::Either;
use napi::{Env, Task};

use super::{Failure, either};
use crate::engine::Inbound;
use crate::error::Error;

/// A gossip request that is answered on a thread of libuv's pool.
pub struct Answering {
    pub inbound: Inbound,
    pub header: String,
    pub body: Vec<u8>,
}

impl Task for Answering {
    type Output = Result<String, Error>;
    type JsValue = Either<String, Failure>;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let body = std::mem::take(&mut self.body);
        Ok(self.inbound.answer(&self.header, &body))
    }

    fn resolve(&mut self, _env: Env, answer: Self::Output) -> napi::Result<Self::JsValue> {
        Ok(either(answer))
    }
}
