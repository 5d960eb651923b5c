//! How Python reaches the engine: one call per event or command, never one per packet.
//!
//! Comes in: numbers, bytes and tuples, as `pywg/engine/native.py` makes them. Goes out: the same. Rules kept: whatever
//! may wait for a packet thread lets other Python threads run meanwhile; a fault of ours becomes a `RuntimeError`,
//! because asyncio survives that, and not a `PanicException`; no error text holds more than numbers and names.

#![expect(clippy::needless_pass_by_value, reason = "this is how PyO3 hands arguments over")]

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pyo3::exceptions::{PyKeyError, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::aead::{CIPHER, Key, erase_stack};
use crate::allowed_ips::Prefix;
use crate::engine::peers::AllowedIpChange;
use crate::engine::{self, UnknownPeer};
use crate::fault;
use crate::keypair::Session;
use crate::limits::Limits;
use crate::plane::Clock;
use crate::sys::udp::{Endpoint, Source};

/// Changes with every change of what this module takes and gives; `pywg.engine.choose` asks for one of them.
const CONTRACT: u32 = 1;

/// Packed address, port, scope.
type PyEndpoint = (Vec<u8>, u16, u32);
/// Endpoint, packed local address or nothing, interface or 0.
type PySource = (PyEndpoint, Vec<u8>, u32);
/// Packed address and length.
type PyPrefix = (Vec<u8>, u8);
/// Peer, prefix or none, whether to remove.
type PyChange = (u64, Option<PyPrefix>, bool);
/// Peer, bits, freed indices, confirmed index.
type GivenNotice = (u64, u8, Vec<u32>, Option<u32>);
/// The times of `crate::peer::Facts`, `more_received`, and whether packets are staged.
type GivenTraffic = (Option<u64>, Option<u64>, Option<u64>, Option<u64>, bool, bool);
/// Datagram, source, depth of the queue.
type GivenHandshake<'py> = (Bound<'py, PyBytes>, GivenSource<'py>, usize);
/// As it is given back.
type GivenSource<'py> = ((Bound<'py, PyBytes>, u16, u32), Bound<'py, PyBytes>, u32);

impl From<UnknownPeer> for PyErr {
    fn from(UnknownPeer(id): UnknownPeer) -> Self {
        PyKeyError::new_err(id)
    }
}

/// A fault of ours, as an exception.
fn guarded<T>(call: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err("the native engine met a fault of its own; please report this"))
    })
}

fn os_error(error: &std::io::Error) -> PyErr {
    PyOSError::new_err((error.raw_os_error().unwrap_or(libc::EIO), error.kind().to_string()))
}

fn address(packed: &[u8]) -> PyResult<IpAddr> {
    let v4 = <[u8; 4]>::try_from(packed).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(packed).map(IpAddr::from);
    v4.or_else(|_| v6()).map_err(|_| PyValueError::new_err("an address has 4 or 16 bytes"))
}

fn endpoint((packed, port, scope): &PyEndpoint) -> PyResult<Endpoint> {
    Ok(Endpoint { address: address(packed)?, port: *port, scope: *scope })
}

fn source((at, local, ifindex): &PySource) -> PyResult<Source> {
    let local = if local.is_empty() { None } else { Some(address(local)?) };
    Ok(Source { endpoint: endpoint(at)?, local, ifindex: *ifindex })
}

fn prefix((packed, length): &PyPrefix) -> PyResult<Prefix> {
    Ok(Prefix { address: address(packed)?, length: *length })
}

fn packed(py: Python<'_>, address: IpAddr) -> Bound<'_, PyBytes> {
    match address {
        IpAddr::V4(address) => PyBytes::new(py, &address.octets()),
        IpAddr::V6(address) => PyBytes::new(py, &address.octets()),
    }
}

fn given(py: Python<'_>, source: Source) -> GivenSource<'_> {
    let Source { endpoint, local, ifindex } = source;
    let local = local.map_or_else(|| PyBytes::new(py, &[]), |local| packed(py, local));
    ((packed(py, endpoint.address), endpoint.port, endpoint.scope), local, ifindex)
}

fn key(bytes: &[u8]) -> PyResult<&[u8; 32]> {
    bytes.try_into().map_err(|_| PyValueError::new_err("a key has 32 bytes"))
}

/// One device's data plane. Not for use by several threads at once.
#[pyclass(module = "pywg._native")]
struct Engine(Option<engine::Engine>);

impl Engine {
    fn open(&self) -> PyResult<&engine::Engine> {
        self.0.as_ref().ok_or_else(closed)
    }

    fn open_mut(&mut self) -> PyResult<&mut engine::Engine> {
        self.0.as_mut().ok_or_else(closed)
    }

    /// A call that may wait for a packet thread.
    fn waiting<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&engine::Engine) -> PyResult<T> + Send,
    ) -> PyResult<T> {
        let open = self.open()?;
        py.detach(|| {
            let outcome = guarded(|| call(open));
            erase_stack();
            outcome
        })
    }
}

fn closed() -> PyErr {
    PyRuntimeError::new_err("the engine was closed")
}

#[pymethods]
impl Engine {
    /// `limits` in the order of `crate::limits::Limits`; `now`: the time of a clock that is moved by `set_time`, or
    /// None for `CLOCK_BOOTTIME`.
    #[new]
    #[pyo3(signature = (*, limits, now, mtu, tun, vnet_hdr))]
    fn new(
        limits: (u64, u64, u64, u64, u64, usize, usize),
        now: Option<u64>,
        mtu: usize,
        tun: RawFd,
        vnet_hdr: bool,
    ) -> PyResult<Self> {
        let limits = Limits {
            rekey_after_messages: limits.0,
            reject_after_messages: limits.1,
            rekey_after_time: limits.2,
            reject_after_time: limits.3,
            rekey_after_time_receiving: limits.4,
            staged_packets: limits.5,
            handshake_queue: limits.6,
        };
        let clock = now.map_or(Clock::Boottime, |now| Clock::Manual(AtomicU64::new(now)));
        let engine = engine::Engine::new(limits, clock, mtu, tun, vnet_hdr).map_err(|e| os_error(&e))?;
        Ok(Self(Some(engine)))
    }

    fn fileno(&self) -> RawFd {
        self.0.as_ref().map_or(-1, engine::Engine::fd)
    }

    fn start(&mut self) -> PyResult<()> {
        let engine = self.open_mut()?;
        guarded(|| engine.start().map_err(|e| os_error(&e)))
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let engine = self.0.take();
        py.detach(|| {
            guarded(|| {
                drop(engine);
                Ok(())
            })
        })
    }

    fn swap_sockets(&self, py: Python<'_>, v4: Option<RawFd>, v6: Option<RawFd>, port: u16) -> PyResult<()> {
        let sockets = match (v4, v6) {
            (None, None) => None,
            _ => Some(engine::sockets(v4, v6, port).map_err(|e| os_error(&e))?),
        };
        self.waiting(py, |engine| {
            engine.swap_sockets(sockets);
            Ok(())
        })
    }

    fn set_mac1_key(&self, mac1_key: Option<&[u8]>) -> PyResult<()> {
        let mac1_key = mac1_key.map(key).transpose()?;
        let engine = self.open()?;
        guarded(|| {
            engine.set_mac1_key(mac1_key.copied());
            Ok(())
        })
    }

    fn set_pending(&self, index: u32, pending: bool) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| {
            engine.set_pending(index, pending);
            Ok(())
        })
    }

    fn set_fwmark(&self, mark: u32) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| engine.set_fwmark(mark).map_err(|e| os_error(&e)))
    }

    fn set_mtu(&self, mtu: usize) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| {
            engine.set_mtu(mtu);
            Ok(())
        })
    }

    fn route_changed(&self, py: Python<'_>) -> PyResult<()> {
        self.waiting(py, |engine| {
            engine.route_changed();
            Ok(())
        })
    }

    /// Returns whether the id was free.
    fn add_peer(&mut self, peer: u64) -> PyResult<bool> {
        let engine = self.open_mut()?;
        guarded(|| Ok(engine.add_peer(peer)))
    }

    fn remove_peer(&mut self, py: Python<'_>, peer: u64) -> PyResult<Vec<u32>> {
        let engine = self.open_mut()?;
        py.detach(|| guarded(|| Ok(engine.remove_peer(peer)?)))
    }

    fn set_endpoint(&self, py: Python<'_>, peer: u64, at: Option<PyEndpoint>) -> PyResult<()> {
        let at = at.as_ref().map(endpoint).transpose()?;
        self.waiting(py, |engine| Ok(engine.set_endpoint(peer, at)?))
    }

    fn source<'py>(&self, py: Python<'py>, peer: u64) -> PyResult<Option<GivenSource<'py>>> {
        let engine = self.open()?;
        let source = guarded(|| Ok(engine.source(peer)?))?;
        Ok(source.map(|source| given(py, source)))
    }

    /// `changes`: peer, prefix or None, whether to remove. Returns False for an addition without prefix.
    fn change_allowed_ips(&self, changes: Vec<PyChange>) -> PyResult<bool> {
        let change = |(peer, prefixed, remove): &PyChange| {
            Ok(AllowedIpChange {
                peer: *peer,
                prefix: prefixed.as_ref().map(prefix).transpose()?,
                remove: *remove,
            })
        };
        let changes = changes.iter().map(change).collect::<PyResult<Vec<_>>>()?;
        let engine = self.open()?;
        guarded(|| Ok(engine.change_allowed_ips(&changes)?))
    }

    fn allowed_ips<'py>(&self, py: Python<'py>, peer: u64) -> PyResult<Vec<(Bound<'py, PyBytes>, u8)>> {
        let engine = self.open()?;
        let prefixes = guarded(|| Ok(engine.allowed_ips(peer)?))?;
        Ok(prefixes.into_iter().map(|prefix| (packed(py, prefix.address), prefix.length)).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "keyword-only in Python")]
    #[pyo3(signature = (peer, *, send_key, receive_key, local_index, remote_index, is_initiator, born, counter, as_current))]
    fn install(
        &self,
        py: Python<'_>,
        peer: u64,
        send_key: &[u8],
        receive_key: &[u8],
        local_index: u32,
        remote_index: u32,
        is_initiator: bool,
        born: u64,
        counter: u64,
        as_current: bool,
    ) -> PyResult<Vec<u32>> {
        // Made from where Python has them: no copy of ours is left on this stack.
        let (sealer, opener) = (Key::new(key(send_key)?), Key::new(key(receive_key)?));
        let session = Session { sealer, opener, local_index, remote_index, is_initiator, born, counter };
        self.waiting(py, |engine| Ok(engine.install(peer, session, as_current)?))
    }

    fn drop_keypairs(&self, py: Python<'_>, peer: u64) -> PyResult<Vec<u32>> {
        self.waiting(py, |engine| Ok(engine.drop_keypairs(peer)?))
    }

    fn expire_sending(&self, py: Python<'_>, peer: u64) -> PyResult<()> {
        self.waiting(py, |engine| Ok(engine.expire_sending(peer)?))
    }

    fn arm_keys_needed(&self, peer: u64) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| Ok(engine.arm_keys_needed(peer)?))
    }

    fn arm_stirred(&self, peer: u64, sent: bool, received: bool) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| Ok(engine.arm_stirred(peer, sent, received)?))
    }

    fn send_handshake(&self, peer: u64, datagram: &[u8]) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| Ok(engine.send_handshake(peer, datagram)?))
    }

    fn handshake_accepted(&self, peer: u64, origin: PySource, size: u64) -> PyResult<()> {
        let origin = source(&origin)?;
        let engine = self.open()?;
        guarded(|| Ok(engine.handshake_accepted(peer, origin, size)?))
    }

    fn send_reply(&self, to: PySource, datagram: &[u8]) -> PyResult<()> {
        let to = source(&to)?;
        let engine = self.open()?;
        guarded(|| {
            engine.send_reply(&to, datagram);
            Ok(())
        })
    }

    fn send_keepalive(&self, py: Python<'_>, peer: u64) -> PyResult<()> {
        self.waiting(py, |engine| Ok(engine.send_keepalive(peer)?))
    }

    /// Of a peer, or of all.
    fn clear_source(&self, peer: Option<u64>) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| match peer {
            None => {
                engine.clear_all_sources();
                Ok(())
            }
            Some(peer) => Ok(engine.clear_source(peer)?),
        })
    }

    fn drop_staged(&self, peer: u64) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| Ok(engine.drop_staged(peer)?))
    }

    fn clear_unanswered_sent(&self, peer: u64, seen: u64) -> PyResult<()> {
        let engine = self.open()?;
        guarded(|| Ok(engine.clear_unanswered_sent(peer, seen)?))
    }

    /// Datagram, source, depth of the queue.
    fn take_handshakes<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Vec<GivenHandshake<'py>>> {
        let engine = self.open()?;
        let taken = guarded(|| Ok(engine.mailbox().take_handshakes(most)))?;
        Ok(taken.iter().map(|one| (PyBytes::new(py, &one.data), given(py, one.source), one.depth)).collect())
    }

    /// Peer, bits, freed indices, confirmed index.
    fn take_notices(&self, most: usize) -> PyResult<Vec<GivenNotice>> {
        let engine = self.open()?;
        let taken = guarded(|| Ok(engine.mailbox().take_notices(most)))?;
        Ok(taken.into_iter().map(|(peer, told)| (peer, told.bits, told.freed, told.confirmed)).collect())
    }

    /// Part and errno.
    fn take_failure(&self) -> PyResult<Option<(&'static str, i32)>> {
        let engine = self.open()?;
        guarded(|| Ok(engine.mailbox().take_failure().map(|failure| (failure.part, failure.errno))))
    }

    /// The five facts of `Traffic`, and whether packets are staged.
    fn traffic(&self, peer: u64) -> PyResult<GivenTraffic> {
        let engine = self.open()?;
        let (facts, staged) = guarded(|| Ok(engine.traffic(peer)?))?;
        let times = (facts.last_sent, facts.last_received, facts.unanswered_sent, facts.unanswered_received);
        Ok((times.0, times.1, times.2, times.3, facts.more_received, staged))
    }

    /// Bytes sent and received.
    fn counters(&self, peer: u64) -> PyResult<(u64, u64)> {
        let engine = self.open()?;
        guarded(|| Ok(engine.counters(peer)?))
    }

    /// Cause and count.
    fn drops(&self, peer: Option<u64>) -> PyResult<Vec<(&'static str, u64)>> {
        let engine = self.open()?;
        guarded(|| Ok(engine.drops(peer)?))
    }

    /// errno and count.
    fn icmp_errors(&self, peer: u64) -> PyResult<Vec<(i32, u64)>> {
        let engine = self.open()?;
        guarded(|| Ok(engine.icmp_errors(peer)?))
    }

    /// Name and text.
    fn status(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, String)>> {
        self.waiting(py, |engine| Ok(engine.status()))
    }

    /// Tests only: move the clock this was made with.
    fn set_time(&self, now: u64) -> PyResult<()> {
        self.open()?.set_time(now);
        Ok(())
    }

    /// Tests only: wait until both threads have found nothing to do. Returns whether they did in time.
    fn settle(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let patience = Duration::try_from_secs_f64(seconds)
            .map_err(|_| PyValueError::new_err("seconds are a positive number"))?;
        self.waiting(py, |engine| Ok(engine.settle(patience)))
    }

    /// Tests only: let the next batch of the first thread or of its helper meet a fault.
    fn fault(&self, of_first: bool) -> PyResult<()> {
        self.open()?.fault(of_first);
        Ok(())
    }

    /// Tests only: meet a fault in this call.
    fn fault_here(&self) -> PyResult<()> {
        self.open()?;
        guarded(|| panic!("a test asked for this fault"))
    }
}

/// The native data plane of pywg; `pywg.engine.native` wraps it.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    fault::keep_quiet();
    module.add("CONTRACT", CONTRACT)?;
    module.add("CIPHER", CIPHER)?;
    module.add_class::<Engine>()
}
