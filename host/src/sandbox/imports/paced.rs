//! Host functions that take a while, made to give way.
//!
//! Fuel makes a computing guest yield, but what the host does for it costs no fuel: a loop around a call that copies
//! megabytes would hold its thread for minutes between two yields, deadlines and other tenants' steps with it. So every
//! function that takes or makes text, bytes or lists counts them, and yields when enough has come together. The others
//! take less than a microsecond, as often as fuel lets them be called between two yields: some 10 ms.
//!
//! These definitions take the place of those that wasmtime and the bindings made before, which do the work here too.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::cli::environment;
use wasmtime_wasi::p2::bindings::io::poll::Host as _;
use wasmtime_wasi::p2::bindings::io::streams::{self, Host as _, HostInputStream as _, HostOutputStream as _};
use wasmtime_wasi::p2::bindings::random::insecure::Host as _;
use wasmtime_wasi::p2::bindings::random::random::Host as _;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamResult};
use wasmtime_wasi_http::p2::HeaderResult;
use wasmtime_wasi_http::p2::bindings::http::types::{
    self as http, HeaderError, Host as _, HostFields as _, HostOutgoingRequest as _, Method,
};
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::config::Host as _;
use crate::sandbox::bindings::tasker::handler::log::{self, Host as _};

/// Bytes between two yields: 0.05 to 0.2 ms of copying.
const SLICE: usize = 256 << 10;

/// Bytes a call counts for at least; it stands for what the call itself and small results take.
const CALL: usize = 4 << 10;

/// Greatest result of functions whose argument does not say it: what wasmtime reads at once.
const CHUNK: usize = 64 << 10;

/// Pollables one `poll` may name; more than an attempt can have.
pub(super) const POLLABLES: usize = 4_096;

/// Bytes of a method, an authority or a path of a request. Each request that is made keeps them, sent or not.
const REQUEST_PART: usize = 16 << 10;

type Output = Resource<DynOutputStream>;
type Input = Resource<DynInputStream>;
type Fields = Resource<FieldMap>;
type Request = Resource<http::OutgoingRequest>;

/// Puts the functions into the place of those of the same name.
pub(super) fn link(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    own(linker)?;
    streams(linker)?;
    polls(linker)?;
    randomness(linker)?;
    fields(linker)?;
    requests(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Attempt {
    /// Counts what a call moved, and yields when it is time. The deadline is looked at whenever an attempt yields.
    async fn pace(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes).saturating_add(CALL);
        if self.moved >= SLICE {
            self.moved = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Defines a function; `bytes` says how much its arguments, or the result they ask for, move.
fn paced<P, R>(
    instance: &mut LinkerInstance<'_, Attempt>,
    name: &str,
    bytes: fn(&P) -> usize,
    call: fn(&mut Attempt, P) -> wasmtime::Result<R>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + Sync + 'static,
    R: ComponentNamedList + Lower + Send + Sync + 'static,
{
    instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, Attempt>, parameters: P| {
        Box::new(async move {
            let attempt = store.data_mut();
            let moved = bytes(&parameters);
            let result = call(attempt, parameters)?;
            attempt.pace(moved).await;
            Ok(result)
        })
    })
}

fn own(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("tasker:handler/log@0.1.0")?;
    paced(
        &mut instance,
        "emit",
        |(_, message, fields): &(log::Level, String, String)| message.len() + fields.len(),
        |attempt, (level, message, fields)| {
            attempt.emit(level, message, fields);
            Ok(())
        },
    )?;
    let mut instance = linker.instance("tasker:handler/config@0.1.0")?;
    paced(&mut instance, "get", |(key,): &(String,)| key.len(), |attempt, (key,)| Ok((attempt.get(key),)))?;
    paced(&mut instance, "entries", |(): &()| CHUNK, |attempt, ()| Ok((attempt.entries(),)))?;
    let mut instance = linker.instance("wasi:cli/environment@0.2.12")?;
    paced(
        &mut instance,
        "get-environment",
        |(): &()| CHUNK,
        |attempt, ()| Ok((environment::Host::get_environment(attempt)?,)),
    )
}

fn streamed<T>(attempt: &mut Attempt, result: StreamResult<T>) -> wasmtime::Result<(Result<T, streams::StreamError>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(attempt.ctx().table.convert_stream_error(error)?),
    },))
}

fn chunk(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX).min(CHUNK)
}

fn streams(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("wasi:io/streams@0.2.12")?;
    let instance = &mut instance;
    paced(
        instance,
        "[method]output-stream.write",
        |(_, bytes): &(Output, Vec<u8>)| bytes.len(),
        |attempt, (to, bytes)| {
            let written = attempt.ctx().table.write(to, bytes);
            streamed(attempt, written)
        },
    )?;
    paced(
        instance,
        "[method]output-stream.write-zeroes",
        |(_, bytes): &(Output, u64)| chunk(*bytes),
        |attempt, (to, bytes)| {
            let written = attempt.ctx().table.write_zeroes(to, bytes);
            streamed(attempt, written)
        },
    )?;
    paced(
        instance,
        "[method]output-stream.splice",
        |(_, _, bytes): &(Output, Input, u64)| chunk(*bytes),
        |attempt, (to, from, bytes)| {
            let moved = attempt.ctx().table.splice(to, from, bytes);
            streamed(attempt, moved)
        },
    )?;
    paced(
        instance,
        "[method]input-stream.read",
        |(_, bytes): &(Input, u64)| chunk(*bytes),
        |attempt, (from, bytes)| {
            let read = attempt.ctx().table.read(from, bytes);
            streamed(attempt, read)
        },
    )?;
    paced(
        instance,
        "[method]input-stream.skip",
        |(_, bytes): &(Input, u64)| chunk(*bytes),
        |attempt, (from, bytes)| {
            let skipped = attempt.ctx().table.skip(from, bytes);
            streamed(attempt, skipped)
        },
    )?;
    // These may wait, and do not when there is nothing to wait for.
    instance.func_wrap_async(
        "[method]output-stream.blocking-write-and-flush",
        |mut store: StoreContextMut<'_, Attempt>, (to, bytes): (Output, Vec<u8>)| {
            Box::new(async move {
                let attempt = store.data_mut();
                let moved = bytes.len();
                let written = attempt.ctx().table.blocking_write_and_flush(to, bytes).await;
                attempt.pace(moved).await;
                streamed(attempt, written)
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |mut store: StoreContextMut<'_, Attempt>, (to, bytes): (Output, u64)| {
            Box::new(async move {
                let attempt = store.data_mut();
                let written = attempt.ctx().table.blocking_write_zeroes_and_flush(to, bytes).await;
                attempt.pace(chunk(bytes)).await;
                streamed(attempt, written)
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]output-stream.blocking-splice",
        |mut store: StoreContextMut<'_, Attempt>, (to, from, bytes): (Output, Input, u64)| {
            Box::new(async move {
                let attempt = store.data_mut();
                let moved = attempt.ctx().table.blocking_splice(to, from, bytes).await;
                attempt.pace(chunk(bytes)).await;
                streamed(attempt, moved)
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]input-stream.blocking-read",
        |mut store: StoreContextMut<'_, Attempt>, (from, bytes): (Input, u64)| {
            Box::new(async move {
                let attempt = store.data_mut();
                let read = attempt.ctx().table.blocking_read(from, bytes).await;
                attempt.pace(chunk(bytes)).await;
                streamed(attempt, read)
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]input-stream.blocking-skip",
        |mut store: StoreContextMut<'_, Attempt>, (from, bytes): (Input, u64)| {
            Box::new(async move {
                let attempt = store.data_mut();
                let skipped = attempt.ctx().table.blocking_skip(from, bytes).await;
                attempt.pace(chunk(bytes)).await;
                streamed(attempt, skipped)
            })
        },
    )
}

fn polls(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    linker.instance("wasi:io/poll@0.2.12")?.func_wrap_async(
        "poll",
        |mut store: StoreContextMut<'_, Attempt>, (pollables,): (Vec<Resource<DynPollable>>,)| {
            Box::new(async move {
                let named = pollables.len();
                if named > POLLABLES {
                    wasmtime::bail!("poll names {named} pollables, and may name {POLLABLES}");
                }
                let attempt = store.data_mut();
                let ready = attempt.ctx().table.poll(pollables).await?;
                // Each is looked up twice, and made into a future.
                attempt.pace(named.saturating_mul(512)).await;
                Ok((ready,))
            })
        },
    )
}

fn randomness(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    // Random bytes take some four times as long as copied ones.
    let bytes = |(bytes,): &(u64,)| chunk(*bytes) * 4;
    let mut instance = linker.instance("wasi:random/random@0.2.12")?;
    paced(&mut instance, "get-random-bytes", bytes, |attempt, (bytes,)| {
        Ok((attempt.ctx().ctx.random().get_random_bytes(bytes)?,))
    })?;
    let mut instance = linker.instance("wasi:random/insecure@0.2.12")?;
    paced(&mut instance, "get-insecure-random-bytes", bytes, |attempt, (bytes,)| {
        Ok((attempt.ctx().ctx.random().get_insecure_random_bytes(bytes)?,))
    })
}

fn headed<T>(attempt: &mut Attempt, result: HeaderResult<T>) -> wasmtime::Result<(Result<T, HeaderError>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(error) => Err(attempt.http().convert_header_error(error)?),
    },))
}

fn fields(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    let mut instance = linker.instance("wasi:http/types@0.2.12")?;
    let instance = &mut instance;
    paced(
        instance,
        "[static]fields.from-list",
        |(entries,): &(Vec<(String, Vec<u8>)>,)| {
            entries.iter().map(|(name, value)| name.len() + value.len() + 64).sum()
        },
        |attempt, (entries,)| {
            let made = attempt.http().from_list(entries);
            headed(attempt, made)
        },
    )?;
    paced(
        instance,
        "[method]fields.get",
        |(_, name): &(Fields, String)| CHUNK + name.len(),
        |attempt, (fields, name)| Ok((attempt.http().get(fields, name)?,)),
    )?;
    paced(
        instance,
        "[method]fields.has",
        |(_, name): &(Fields, String)| name.len(),
        |attempt, (fields, name)| Ok((attempt.http().has(fields, name)?,)),
    )?;
    // The next three copy the fields first if another resource shares them.
    paced(
        instance,
        "[method]fields.set",
        |(_, name, values): &(Fields, String, Vec<Vec<u8>>)| {
            CHUNK + name.len() + values.iter().map(|value| value.len() + 64).sum::<usize>()
        },
        |attempt, (fields, name, values)| {
            let set = attempt.http().set(fields, name, values);
            headed(attempt, set)
        },
    )?;
    paced(
        instance,
        "[method]fields.delete",
        |(_, name): &(Fields, String)| CHUNK + name.len(),
        |attempt, (fields, name)| {
            let deleted = attempt.http().delete(fields, name);
            headed(attempt, deleted)
        },
    )?;
    paced(
        instance,
        "[method]fields.append",
        |(_, name, value): &(Fields, String, Vec<u8>)| CHUNK + name.len() + value.len(),
        |attempt, (fields, name, value)| {
            let appended = attempt.http().append(fields, name, value);
            headed(attempt, appended)
        },
    )?;
    paced(
        instance,
        "[method]fields.entries",
        |_: &(Fields,)| CHUNK,
        |attempt, (fields,)| Ok((attempt.http().entries(fields)?,)),
    )
}

fn requests(linker: &mut Linker<Attempt>) -> wasmtime::Result<()> {
    fn length(text: Option<&String>) -> usize {
        text.map_or(0, String::len)
    }
    fn other(method: &Method) -> Option<&String> {
        if let Method::Other(name) = method { Some(name) } else { None }
    }
    let mut instance = linker.instance("wasi:http/types@0.2.12")?;
    let instance = &mut instance;
    paced(
        instance,
        "[method]outgoing-request.set-method",
        |(_, method): &(Request, Method)| length(other(method)),
        |attempt, (request, method)| {
            let long = length(other(&method)) > REQUEST_PART;
            Ok((if long { Err(()) } else { attempt.http().set_method(request, method)? },))
        },
    )?;
    paced(
        instance,
        "[method]outgoing-request.set-authority",
        |(_, authority): &(Request, Option<String>)| length(authority.as_ref()),
        |attempt, (request, authority)| {
            let long = length(authority.as_ref()) > REQUEST_PART;
            Ok((if long { Err(()) } else { attempt.http().set_authority(request, authority)? },))
        },
    )?;
    paced(
        instance,
        "[method]outgoing-request.set-path-with-query",
        |(_, path): &(Request, Option<String>)| length(path.as_ref()),
        |attempt, (request, path)| {
            let long = length(path.as_ref()) > REQUEST_PART;
            Ok((if long { Err(()) } else { attempt.http().set_path_with_query(request, path)? },))
        },
    )?;
    paced(
        instance,
        "[method]outgoing-request.set-scheme",
        |(_, scheme): &(Request, Option<http::Scheme>)| match scheme {
            Some(http::Scheme::Other(name)) => name.len(),
            _ => 0,
        },
        |attempt, (request, scheme)| Ok((attempt.http().set_scheme(request, scheme)?,)),
    )
}
