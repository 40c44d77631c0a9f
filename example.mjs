// Asks OpenAI for a greeting, with the key and at the address that its environment names. It needs
// Node.js 18, and knows nothing of Keysake.
const key = process.env.OPENAI_API_KEY;
const address = process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
console.log(`I have a key of ${key.length} characters, and ask ${address}.`);

const response = await fetch(`${address}/chat/completions`, {
  method: "POST",
  headers: { "Authorization": `Bearer ${key}`, "Content-Type": "application/json" },
  body: JSON.stringify({
    model: "gpt-5-mini",
    messages: [{ role: "user", content: "Greet me." }],
  }),
});
const answer = await response.json();
console.log(response.ok ? answer.choices[0].message.content : `Refused: ${answer.error.message}`);
