#!/usr/bin/env node
// A stand-in for a model's API on loopback: it plays the model, so that a test can tell a real
// coding agent which tools to call, and reads what they answered. It speaks the Anthropic Messages
// API (claude, opencode, pi), OpenAI's Responses API (codex) and Gemini's generateContent (gemini).
//
//   messages-api.mjs --script STEPS.json --log SEEN.jsonl [--port N]
//
// Prints its port as the first line of stdout, then serves until it is killed.
//
// STEPS.json is a list; one step is ordered per turn, in this order:
//   "shell command"                          through the agent's shell tool
//   {"name": "...", "bash": "command"}       the same with a name for the log
//   {"name": "...", "tool": "Edit", "input": {...}}     any tool, its input as the agent defines it
// When the steps are used up it says "done" and ends the turn. A step whose tool the agent does
// not offer is logged as {"event": "no-tool"} and skipped.
//
// SEEN.jsonl gets one JSON object a line:
//   {"event": "request", "method", "path", "kind"}          kind: turn, side, count, other
//   {"event": "result", "step", "name", "tool", "input", "is_error", "text"}
//   {"event": "done"}                                        the agent has sent the last result
//
// It keeps no conversation: the step to order follows from the tool results in the request, so
// a retry, a second connection or the agent's side requests (titles, quota checks, routing, all
// of which bring no tools) cannot put it out of step.

import http from "node:http";
import fs from "node:fs";

const options = { port: "0" };
for (let i = 2; i < process.argv.length; i += 2) {
	const name = process.argv[i].replace(/^--/, "");
	if (!["script", "log", "port"].includes(name) || process.argv[i + 1] === undefined) {
		console.error("usage: messages-api.mjs --script STEPS.json --log SEEN.jsonl [--port N]");
		process.exit(2);
	}
	options[name] = process.argv[i + 1];
}

const steps = (options.script ? JSON.parse(fs.readFileSync(options.script, "utf8")) : []).map(
	(s, n) => {
		const step = typeof s === "string" ? { bash: s } : s;
		return { name: `step ${n}`, ...step };
	},
);
const out = options.log ? fs.openSync(options.log, "a") : 1;
const logged = new Set();
const CALL_ID = "toolu_step_";
const SHELLS = ["bash", "exec_command", "shell_command", "run_shell_command", "shell"];
// What a side request gets. It fits the questions that agents are known to ask (a title, a model's
// name, a yes or no, as JSON or not), and none of them acts on the answer.
const SIDE_ANSWER = JSON.stringify({
	title: "test",
	isNewTopic: false,
	reasoning: "-",
	model_choice: "pro",
});

function log(entry) {
	fs.writeSync(out, JSON.stringify(entry) + "\n");
}

function logOnce(key, entry) {
	if (logged.has(key))
		return;
	logged.add(key);
	log(entry);
}

function textOf(content) {
	if (typeof content === "string")
		return content;
	if (Array.isArray(content))
		return content.map((part) => part.text ?? "").join("");
	return JSON.stringify(content ?? "");
}

// Logs the results in a request, [{id, is_error, text}], and says how many steps are over.
function readResults(results) {
	let next = 0;
	for (const result of results) {
		if (!result.id?.startsWith(CALL_ID))
			continue;
		const n = Number(result.id.slice(CALL_ID.length));
		const step = steps[n];
		next = Math.max(next, n + 1);
		logOnce(`result ${n}`, {
			event: "result",
			step: n,
			name: step?.name,
			tool: step?.tool ?? "shell",
			input: step?.input ?? step?.bash,
			is_error: result.is_error === true,
			text: result.text,
		});
	}
	return next;
}

// What to say in a turn: {text} or {id, name, input}. `tools` is [{name, properties}].
function decide(results, tools) {
	for (let n = readResults(results); n < steps.length; n++) {
		const step = steps[n];
		const names = step.tool ? [step.tool.toLowerCase()] : SHELLS;
		const tool = tools.find((t) => names.includes(t.name?.toLowerCase()));
		if (tool) {
			const command = "cmd" in tool.properties ? "cmd" : "command";
			const input = step.input ?? { [command]: step.bash };
			if (!step.input && "description" in tool.properties)
				input.description = step.name;
			return { id: CALL_ID + n, name: tool.name, input };
		}
		logOnce(`no-tool ${n}`, { event: "no-tool", step: n, name: step.name });
	}
	logOnce("done", { event: "done" });
	return { text: "done" };
}

function reply(response, body) {
	const data = JSON.stringify(body);
	response.writeHead(200, {
		"content-type": "application/json",
		"content-length": Buffer.byteLength(data),
		"request-id": "req_stand_in",
	});
	response.end(data);
}

// Server-sent events: [name or null, data] each.
function stream(response, events) {
	response.writeHead(200, {
		"content-type": "text/event-stream",
		"cache-control": "no-cache",
		"request-id": "req_stand_in",
	});
	for (const [name, data] of events)
		response.write((name ? `event: ${name}\n` : "") + `data: ${JSON.stringify(data)}\n\n`);
	response.end();
}

// Each dialect: results(body) and tools(body) read a request, send(response, body, say, url)
// answers it.
const anthropic = {
	results: (body) =>
		(body.messages ?? [])
			.flatMap((m) => (Array.isArray(m.content) ? m.content : []))
			.filter((block) => block.type === "tool_result")
			.map((b) => ({ id: b.tool_use_id, is_error: b.is_error, text: textOf(b.content) })),
	tools: (body) =>
		(body.tools ?? []).map((t) => ({
			name: t.name,
			properties: t.input_schema?.properties ?? {},
		})),
	send(response, body, say) {
		const block = say.id
			? { type: "tool_use", id: say.id, name: say.name, input: say.input }
			: { type: "text", text: say.text };
		const delta = say.id
			? { type: "input_json_delta", partial_json: JSON.stringify(say.input) }
			: { type: "text_delta", text: say.text };
		const stop = { stop_reason: say.id ? "tool_use" : "end_turn", stop_sequence: null };
		const message = {
			id: `msg_${Date.now()}`,
			type: "message",
			role: "assistant",
			model: body.model ?? "stand-in",
			content: [block],
			...stop,
			usage: { input_tokens: 10, output_tokens: 10 },
		};
		if (!body.stream)
			return reply(response, message);
		const events = [
			{ type: "message_start", message: { ...message, content: [], stop_reason: null } },
			{
				type: "content_block_start",
				index: 0,
				content_block: say.id ? { ...block, input: {} } : { ...block, text: "" },
			},
			{ type: "content_block_delta", index: 0, delta },
			{ type: "content_block_stop", index: 0 },
			{ type: "message_delta", delta: stop, usage: { output_tokens: 10 } },
			{ type: "message_stop" },
		];
		return stream(response, events.map((e) => [e.type, e]));
	},
};

const responses = {
	results: (body) =>
		(Array.isArray(body.input) ? body.input : [])
			.filter((item) => item.type === "function_call_output")
			.map((item) => ({ id: item.call_id, text: textOf(item.output) })),
	tools: (body) =>
		(body.tools ?? [])
			.filter((t) => t.type === "function")
			.map((t) => ({ name: t.name, properties: t.parameters?.properties ?? {} })),
	send(response, body, say) {
		const item = say.id
			? {
					type: "function_call",
					id: `fc_${say.id}`,
					call_id: say.id,
					name: say.name,
					arguments: JSON.stringify(say.input),
				}
			: {
					type: "message",
					id: "msg_1",
					role: "assistant",
					content: [{ type: "output_text", text: say.text }],
				};
		const whole = {
			id: `resp_${Date.now()}`,
			object: "response",
			status: "completed",
			output: [item],
			usage: { input_tokens: 10, output_tokens: 10, total_tokens: 20 },
		};
		if (!body.stream)
			return reply(response, whole);
		const events = [
			{ type: "response.created", response: { ...whole, output: [] } },
			{ type: "response.output_item.done", output_index: 0, item },
			{ type: "response.completed", response: whole },
		];
		return stream(response, events.map((e) => [e.type, e]));
	},
};

const gemini = {
	results: (body) =>
		(body.contents ?? [])
			.flatMap((c) => c.parts ?? [])
			.filter((part) => part.functionResponse)
			.map((part) => ({
				id: part.functionResponse.id,
				text: part.functionResponse.response?.output ?? textOf(part.functionResponse.response),
			})),
	tools: (body) =>
		(body.tools ?? [])
			.flatMap((t) => t.functionDeclarations ?? [])
			.map((t) => ({
				name: t.name,
				properties: (t.parametersJsonSchema ?? t.parameters)?.properties ?? {},
			})),
	send(response, body, say, url) {
		const part = say.id
			? { functionCall: { id: say.id, name: say.name, args: say.input } }
			: { text: say.text };
		const answer = {
			candidates: [
				{ content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 },
			],
			usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 10, totalTokenCount: 20 },
			modelVersion: "stand-in",
		};
		if (!url.includes(":streamGenerateContent"))
			return reply(response, answer);
		return stream(response, [[null, answer]]);
	},
};

function dialectOf(path) {
	if (path.endsWith("/messages"))
		return anthropic;
	if (path.endsWith("/responses"))
		return responses;
	return /:(stream)?generateContent$/i.test(path) ? gemini : null;
}

function serve(request, response, data) {
	const path = request.url.split("?")[0];
	const seen = { event: "request", method: request.method, path };
	const dialect = request.method === "POST" ? dialectOf(path) : null;
	let body = {};
	try {
		body = JSON.parse(data.toString("utf8") || "{}");
	} catch {
		// Answered as if it were empty.
	}
	if (dialect) {
		const tools = dialect.tools(body);
		log({ ...seen, kind: tools.length > 0 ? "turn" : "side" });
		const say = tools.length > 0 ? decide(dialect.results(body), tools) : { text: SIDE_ANSWER };
		dialect.send(response, body, say, request.url);
	} else if (/count_?tokens$/i.test(path)) {
		log({ ...seen, kind: "count" });
		reply(response, { input_tokens: 10, totalTokens: 10 });
	} else {
		log({ ...seen, kind: "other" });
		reply(response, path.endsWith("/models") ? { data: [], models: [] } : {});
	}
}

const server = http.createServer((request, response) => {
	const parts = [];
	request.on("data", (part) => parts.push(part));
	request.on("error", () => {});
	response.on("error", () => {});
	request.on("end", () => serve(request, response, Buffer.concat(parts)));
});
server.on("clientError", (error, socket) => socket.destroy());
server.listen(Number(options.port), "127.0.0.1", () => console.log(server.address().port));
for (const signal of ["SIGINT", "SIGTERM"])
	process.on(signal, () => process.exit(0));
