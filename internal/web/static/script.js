// Comfort for the pages, which work without it. It sends nothing anywhere and keeps nothing.
"use strict";

// A search field filters its list as it is typed in.
for (const field of document.querySelectorAll("input[data-filter]")) {
  const list = document.getElementById(field.dataset.filter);
  if (!list) continue;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const item of list.children) {
      item.hidden = !item.dataset.text.toLowerCase().includes(wanted);
    }
  });
}

// A pasted key is compared with how keys of its provider begin, here in the page.
for (const field of document.querySelectorAll("input[data-prefixes]")) {
  const says = document.getElementById("value-says");
  const prefixes = field.dataset.prefixes.split(" ").filter(Boolean);
  field.addEventListener("input", () => {
    const value = field.value;
    if (!value) says.textContent = "";
    else if (/\s/.test(value)) says.textContent = "There is a space in it: was more pasted than the key?";
    else if (!prefixes.length) says.textContent = "";
    else if (prefixes.some((p) => value.startsWith(p))) says.textContent = "It begins as keys of this provider do.";
    else says.textContent = "It does not begin as keys of this provider usually do. You can store it all the same.";
  });
}

// What is typed can be looked at before it is sent.
for (const button of document.querySelectorAll("button[data-show]")) {
  const field = document.getElementById(button.dataset.show);
  button.hidden = false;
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
  });
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    document.getElementById("copied").textContent = "Copied. Paste it where it belongs, not into a chat.";
  });
}

// What a pasted file has is shown below it. The text stays in its field: no answer has it.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const preview = form.querySelector("#preview");
  let plain = preview.childElementCount > 0; // came without a script: the field is empty
  form.elements.text.addEventListener("input", () => { if (!plain) preview.replaceChildren(); });
  form.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (plain || !button || button.value !== "preview") return;
    event.preventDefault();
    const sent = new URLSearchParams(new FormData(form, button));
    try {
      const answer = await fetch(form.action, { method: "POST", body: sent, redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["text-says", "preview"]) {
        document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
      }
      preview.querySelector("h2")?.focus();
    } catch { // signed out, or no server: the browser says which
      plain = true;
      form.requestSubmit(button);
    }
  });
}

// A passkey answers a challenge, and the form takes its answer to the server. The browser asks its
// user; what the passkey signs with stays where it is.
const bytes = (text) => Uint8Array.from(
  atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function answerOf(form) {
  const asked = await fetch(form.dataset.begin, { method: "POST", redirect: "error" });
  if (!asked.ok) throw new Error("It cannot begin now: load this page again.");
  const { publicKey } = await asked.json();
  publicKey.challenge = bytes(publicKey.challenge);
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id);
  for (const named of [...publicKey.excludeCredentials ?? [], ...publicKey.allowCredentials ?? []]) {
    named.id = bytes(named.id);
  }
  const made = await navigator.credentials[form.dataset.passkey]({ publicKey });
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[part]) response[part] = text64(made.response[part]);
  }
  if (made.response.getTransports) response.transports = made.response.getTransports();
  return JSON.stringify({ id: made.id, rawId: made.id, type: made.type, response });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const says = form.querySelector("[data-says]");
  const button = form.querySelector("button");
  const say = (text) => { says.textContent = text; says.hidden = !text; };
  if (!window.PublicKeyCredential) { say("This browser has no passkeys."); continue; }
  button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    button.disabled = true;
    try {
      form.elements.answer.value = await answerOf(form);
      if (!form.dataset.then) { form.submit(); return; }
      const sent = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", body: sent, redirect: "error" });
      if (!answer.ok) throw new Error("The passkey was not accepted. Sign in again instead.");
      const again = document.getElementById(form.dataset.then);
      if (again) again.submit(); else location.reload();
    } catch (error) {
      say(error.name === "NotAllowedError" ? "The passkey was not used: there is none for this site, or it was cancelled."
        : error.name === "InvalidStateError" ? "There is one of yours in that place already."
        : error.message);
    } finally { button.disabled = false; }
  });
}

// What a lease asks of the broker comes as it is recorded, the newest first. Each event is an item
// of the list as the server writes it.
for (const list of document.querySelectorAll("ol[data-stream]")) {
  const says = document.getElementById("live");
  const source = new EventSource(list.dataset.stream);
  const say = (text) => { if (says.textContent !== text) says.textContent = text; };
  source.addEventListener("open", () => say("Live: each request appears here when it is recorded."));
  source.addEventListener("request", (event) => {
    const item = new DOMParser().parseFromString(event.data, "text/html").querySelector("li");
    list.prepend(item);
    document.getElementById("none").hidden = true;
    while (list.childElementCount > 200) list.lastElementChild.remove();
  });
  source.addEventListener("end", (event) => { source.close(); say(event.data); });
  source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED
    ? "Not live any more." : "The connection was lost. Trying again."));
}
