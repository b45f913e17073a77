// Loaded before a child of the supervisor (node --import): when the supervisor is killed, its end
// of the IPC channel closes and the child drains and ends, instead of holding the port as an orphan.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
