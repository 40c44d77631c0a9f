// What every client here writes: a line of JSON for each thing that it does.
export const report = (step, seen) => console.log(JSON.stringify({ step, ...seen }));

// counting is the fetch of the system, and counts how often it was asked.
let calls = 0;
export const counting = (...args) => {
  calls++;
  return fetch(...args);
};

// counted reports what a call returned, or failed with, and how often the client asked.
export async function counted(step, call) {
  calls = 0;
  try {
    report(step, { text: await call(), calls });
  } catch (e) {
    const note = e.headers?.get?.("keysake-broker") ??
      e.response?.headers?.["keysake-broker"] ?? "";
    const rule = note.match(/rule=([a-z]+)/)?.[1];
    report(step, { error: e.constructor.name, status: e.status, rule, calls });
  }
}
