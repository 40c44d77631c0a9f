import Anthropic from "@anthropic-ai/sdk";
import { counted, counting, report } from "./report.mjs";

report("environment", { env: process.env });
const client = new Anthropic({ fetch: counting });
const ask = (model, more) => ({
  model, max_tokens: 9, messages: [{ role: "user", content: "hello" }], ...more,
});
const complete = async (client, model) =>
  (await client.messages.create(ask(model))).content[0].text;

report("plain", { text: await complete(client, "plain") });

let text = "";
for await (const event of await client.messages.create(ask("stream", { stream: true }))) {
  if (event.type === "content_block_delta") {
    if (text === "") {
      await client.models.retrieve("next");
    }
    text += event.delta.text;
  }
}
report("stream", { text });

text = "";
const stream = await client.messages.create(ask("abort", { stream: true }));
for await (const event of stream) {
  if (event.type === "content_block_delta") {
    text += event.delta.text;
    stream.controller.abort();
  }
}
await client.models.retrieve("left");
report("abort", { text });

for (const model of ["busy", "denied", "exhausted"]) {
  await counted(model, () => complete(client, model));
}
const baseURL = process.env.ANTHROPIC_BASE_URL + "/@other.example";
await counted("unlisted", () => complete(new Anthropic({ fetch: counting, baseURL }), "plain"));
await counted("another key", () =>
  complete(new Anthropic({ fetch: counting, apiKey: "another" }), "plain"));
