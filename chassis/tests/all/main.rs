//! All tests from outside, in one program: it links once, and tests that wait do so side by side.

#![allow(clippy::unwrap_used)] // a test may

mod bodies;
mod connection;
mod faults;
mod grpc;
mod http;
mod layout;
mod malformed;
mod mirror;
mod server;
mod stop;
mod text;
