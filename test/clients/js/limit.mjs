// Asks twice, where the lease allows one request.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { counted, counting } from "./report.mjs";

const Client = process.argv[2] === "openai" ? OpenAI : Anthropic;
const client = new Client({ fetch: counting });
for (const step of ["the first", "one too many"]) {
  await counted(step, async () => (await client.models.retrieve("m")).id);
}
