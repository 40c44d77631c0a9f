// @octokit/action works in actions alone.
process.env.GITHUB_ACTION = "test";
import { Octokit as Action } from "@octokit/action";
import { Octokit } from "octokit";
import { counted, counting, report } from "./report.mjs";

report("environment", { env: process.env });
const connect = (more) => new Octokit({
  auth: process.env.GITHUB_TOKEN, baseUrl: process.env.GITHUB_API_URL,
  request: { fetch: counting }, retry: { retryAfterBaseValue: 1 },
  log: { debug() {}, info() {}, warn() {}, error() {} }, ...more,
});
const client = connect();
const login = async (client) => (await client.rest.users.getAuthenticated()).data.login;

report("user", { text: await login(client) });
report("user by @octokit/action", { text: (await new Action().request("GET /user")).data.login });
const issue = { owner: "o", repo: "r", title: "hello" };
report("issue", { text: (await client.rest.issues.create(issue)).data.title });
report("graphql", { text: (await client.graphql("{ viewer { login } }")).viewer.login });

const named = (repo) => () =>
  client.rest.repos.get({ owner: "o", repo }).then((answer) => answer.data.name);
for (const repo of ["busy", "missing"]) {
  await counted(repo, named(repo));
}
const baseUrl = process.env.GITHUB_API_URL + "/@other.example";
await counted("unlisted", () => login(connect({ baseUrl })));
await counted("another key", () => login(connect({ auth: "another" })));
