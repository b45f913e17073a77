// preloaded into a process by `NODE_OPTIONS`: its machine's clock is off by CLOCK_SHIFT_MS, ahead when positive
const shiftMs = Number(process.env['CLOCK_SHIFT_MS']);
const real = Date.now;
Date.now = () => real() + shiftMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, given: unknown[], made) =>
    Reflect.construct(target, given.length === 0 ? [target.now()] : given, made) as Date,
});
