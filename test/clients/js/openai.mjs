import OpenAI from "openai";
import { counted, counting, report } from "./report.mjs";

report("environment", { env: process.env });
const client = new OpenAI({ fetch: counting });
const ask = (model, more) => ({
  model, messages: [{ role: "user", content: "hello" }], ...more,
});
const complete = async (client, model) =>
  (await client.chat.completions.create(ask(model))).choices[0].message.content;

report("plain", { text: await complete(client, "plain") });

let text = "";
for await (const chunk of await client.chat.completions.create(ask("stream", { stream: true }))) {
  if (text === "") {
    await client.models.retrieve("next");
  }
  text += chunk.choices[0].delta.content;
}
report("stream", { text });

text = "";
const stream = await client.chat.completions.create(ask("abort", { stream: true }));
for await (const chunk of stream) {
  text += chunk.choices[0].delta.content;
  stream.controller.abort();
}
await client.models.retrieve("left");
report("abort", { text });

for (const model of ["busy", "denied", "exhausted"]) {
  await counted(model, () => complete(client, model));
}
const baseURL = process.env.OPENAI_BASE_URL.replace("/v1", "/v2");
await counted("unlisted", () => complete(new OpenAI({ fetch: counting, baseURL }), "plain"));
await counted("another key", () =>
  complete(new OpenAI({ fetch: counting, apiKey: "another" }), "plain"));
