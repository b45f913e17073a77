import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The kernel's table is read in parts: a connection can be passed over while others come and go. */
const TRIES = 10;

/**
 * Which of these processes holds the client's end of a loopback connection; null when none does.
 * Both ports name it: Linux gives one local port to several connections that go to different places.
 */
export function ownerOf(
  connection: { client: number; server: number },
  pids: number[],
): number | null {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const inode = inodeOf(connection);
    const owner = inode === null ? undefined : pids.find((pid) => holds(pid, inode));
    if (owner !== undefined) return owner;
  }
  return null;
}

/** proc_pid_net(5): local and remote address in hex, ninth column after the line's number is the inode. */
function inodeOf({ client, server }: { client: number; server: number }): string | null {
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const columns = line.trim().split(/\s+/u);
    if (portOf(columns[1]) === client && portOf(columns[2]) === server) return columns[9] ?? null;
  }
  return null;
}

function portOf(address: string | undefined): number {
  return Number.parseInt(address?.split(':')[1] ?? '', 16);
}

function holds(pid: number, inode: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false; // closed in between
    }
  });
}
