//! The client that may write: a type of its own, so that a job that only looks holds nothing that could change a shop.
//!
//! A write is sent once. What brought no answer is in doubt, and only a read can tell what it did.

use super::CallError;
use super::client::{Answer, Client, Effect, Exchange, Failed};
use super::oauth1::Target;
use super::transport::Body;
use crate::domain::{IntentId, RequestClass};

/// An account's way to its marketplace with leave to change what is there.
#[derive(Clone)]
pub struct WritingClient(Client);

/// One request that changes something.
#[derive(Debug, Clone)]
pub struct Write {
    /// The HTTP method.
    pub method: WriteMethod,
    /// The path with its variable parts named.
    pub template: &'static str,
    /// What it is for.
    pub class: RequestClass,
    /// The exact URL.
    pub target: Target,
    /// What is sent.
    pub body: Body,
    /// The intents that it carries out. The gate marks them as sent in the transaction that lets the request out.
    pub intents: Vec<IntentId>,
}

/// The methods of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMethod {
    /// Makes something new, or does what has no other method.
    Post,
    /// Changes what is there.
    Put,
    /// Takes something away.
    Delete,
}

/// A write without an answer that says what it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It had no effect: it was not sent, or was refused before anything was done.
    #[error("{0}")]
    NoEffect(CallError),
    /// It may have had its effect, or part of it, or may have it yet: it is in doubt.
    #[error("{0}")]
    InDoubt(CallError),
}

impl WritingClient {
    /// Gives `client` leave to write.
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// The same line for what only reads.
    pub fn reads(&self) -> &Client {
        &self.0
    }

    /// Sends it, once. An answer is a success or a 4xx whose body says why; what it did is the body's to say.
    pub async fn write(&self, write: &Write) -> Result<Answer, WriteError> {
        let exchange = Exchange {
            method: write.method.as_str(),
            template: write.template,
            class: write.class,
            target: &write.target,
            body: Some(&write.body),
            writes: true,
            counted: true,
            intents: &write.intents,
        };
        self.0.exchange(&exchange).await.map_err(|Failed { error, effect }| match effect {
            Effect::None => WriteError::NoEffect(error),
            Effect::Unknown => WriteError::InDoubt(error),
        })
    }
}

impl WriteMethod {
    /// The word of HTTP.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl WriteError {
    /// Why there is no answer.
    pub fn call_error(&self) -> &CallError {
        match self {
            Self::NoEffect(error) | Self::InDoubt(error) => error,
        }
    }
}
