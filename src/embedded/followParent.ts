// Loaded first in each child of the supervisor (node --import). When the supervisor is killed, its end of
// the IPC channel closes; the child then drains and ends instead of holding the port as an orphan.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
