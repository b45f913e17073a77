#!/usr/bin/env node
// CommonJS and old syntax on purpose: this runs on whatever Node the PATH has, and hands over to
// the Node 24 that npm has installed beside the project.
'use strict';
const { spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { homedir } = require('node:os');
const { dirname, isAbsolute, join } = require('node:path');
const { pathToFileURL } = require('node:url');

const NEEDED = [24, 13];
const cli = join(__dirname, '..', 'cli.ts');
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) {
  process.argv[1] = cli;
  require('node:module').enableCompileCache(compileCache());
  void import(pathToFileURL(cli).href);
} else {
  const node = process.env.MILLRACE_REEXEC === '1' ? null : nearestNode(__dirname);
  if (node === null) {
    console.error(
      `millrace needs Node ${NEEDED.join('.')} or newer, and this is ${process.versions.node}: run npm install in its folder, or install a newer Node.`,
    );
    process.exit(69);
  }
  const child = spawn(node, [cli, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: compileCache(), ...process.env, MILLRACE_REEXEC: '1' },
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const forward = (signal) => child.kill(signal);
  signals.forEach((signal) => process.on(signal, forward));
  child.on('exit', (code, signal) => {
    signals.forEach((name) => process.off(name, forward));
    if (signal === null) process.exit(code);
    process.kill(process.pid, signal);
  });
}

/** In the user's cache folder, where nobody else writes: code read from it runs as the user. */
function compileCache() {
  const base = process.env.XDG_CACHE_HOME || '';
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'millrace', 'compiled');
}

function nearestNode(folder) {
  const node = join(folder, 'node_modules', '.bin', 'node');
  if (existsSync(node)) return node;
  const parent = dirname(folder);
  return parent === folder ? null : nearestNode(parent);
}
