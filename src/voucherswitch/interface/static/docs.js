// The documentation page: reads /openapi.json, shows each operation, and sends requests the way an originator would.
// Everything is put on the page as text, never as markup. Credentials stay in the form and are written nowhere.
"use strict";

/** What earlier answers on this page gave, so that a confirmation or a redemption can be tried without copying. */
const remembered = { voucherCode: null, byTag: {} };
let api = null;

// Small tools

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const byId = (id) => document.getElementById(id);
const pretty = (value) => JSON.stringify(value, null, 2);

/** Looks up a shared part of the document; anything else is returned as it is. */
function resolved(part) {
  if (!part || !part.$ref) return part;
  return part.$ref.slice(2).split("/").reduce((holder, key) => holder[key], api);
}

/** Crypto's own maker of ids is only there on https and localhost. */
function newUuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Shows the little Markdown that descriptions use: **bold** and `code`, in paragraphs. */
function inline(text) {
  return text.replace(/\n/g, " ").split(/(\*\*[^*]+\*\*|`[^`]+`)/).map((part) => {
    if (part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    return part;
  });
}

function prose(text) {
  return text.trim().split(/\n\n+/).map((paragraph) => el("p", {}, inline(paragraph)));
}

function operations() {
  return Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })));
}

// Schemas

/** Takes a schema apart: what it is without null, and whether null is allowed. */
function withoutNull(schema) {
  if (Array.isArray(schema.type)) {
    return { ...schema, type: schema.type.find((type) => type !== "null") };
  }
  const choices = (schema.anyOf || []).filter((choice) => choice.type !== "null");
  if (schema.anyOf && choices.length === 1) return withoutNull({ ...choices[0] });
  return schema;
}

/** Returns the schemas whose fields can be unfolded below a field. */
function inner(schema) {
  const target = resolved(withoutNull(schema));
  if (target.properties) return [target];
  if (target.oneOf) return target.oneOf.map(resolved);
  if (target.items) return inner(target.items);
  if (typeof target.additionalProperties === "object") return inner(target.additionalProperties);
  return [];
}

function typeName(schema) {
  const target = withoutNull(schema);
  if (target.$ref) {
    const name = target.$ref.split("/").pop();
    return resolved(target).enum ? `one of ${name}` : name;
  }
  if (target.items) return `list of ${typeName(target.items)}`;
  if (target.oneOf || target.anyOf) return (target.oneOf || target.anyOf).map(typeName).join(" or ");
  if (typeof target.additionalProperties === "object") return `map of ${typeName(target.additionalProperties)}`;
  return target.format || target.type || "any";
}

function limits(schema) {
  const target = withoutNull(schema);
  const found = [];
  if (target.minLength !== undefined || target.maxLength !== undefined) {
    const low = target.minLength || 0;
    found.push(low === target.maxLength ? `${low} characters` : `${low} to ${target.maxLength} characters`);
  }
  if (target.maxItems) found.push(`at most ${target.maxItems} entries`);
  if (target.maxProperties) found.push(`at most ${target.maxProperties} entries`);
  // A format says in a word what its pattern spells out.
  const pattern = target.format ? null : target.pattern || (target.anyOf || []).map((choice) => choice.pattern).find(Boolean);
  const values = resolved(target).enum;
  if (values) found.push(values.join(", "));
  return [found.join(", "), pattern && [found.length ? ", " : "", el("code", {}, pattern)]].flat();
}

/** One entry: a name and what it is, what limits it, and what lies below. */
function entry(name, required, schema, where = "") {
  const limited = limits(schema).filter(Boolean);
  const description = schema.description;
  return el("li", {},
    el("span", { class: "name" }, name), " ",
    el("span", { class: "soft" }, typeName(schema) + where),
    required && el("span", { class: "required" }, "required"),
    limited.length > 0 && el("div", { class: "limits" }, limited),
    description && el("div", { class: "limits" }, inline(description)),
    unfoldable(schema));
}

function fieldList(schema) {
  const required = new Set(schema.required || []);
  return el("ul", { class: "entries" },
    Object.entries(schema.properties || {}).map(([name, field]) => entry(name, required.has(name), field)));
}

/** Builds the fields below only when they are asked for. */
function unfoldable(field) {
  const schemas = inner(field);
  if (!schemas.length) return null;
  const details = el("details", {}, el("summary", {}, schemas.length > 1 ? "fields, by type" : "fields"));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(...schemas.map(fieldList));
  });
  return details;
}

// An operation

function jsonContent(part) {
  return part && part.content && part.content["application/json"];
}

function statusClass(status) {
  if (status < 300) return "good";
  return status < 500 ? "warn" : "bad";
}

function parameterList(parameters) {
  return el("ul", { class: "entries" }, parameters.map((parameter) => entry(
    parameter.name, parameter.required, { ...parameter.schema, description: parameter.description }, `, in ${parameter.in}`)));
}

function responseTable(responses) {
  return el("table", {}, el("tbody", {}, Object.entries(responses).map(([status, reference]) => {
    const response = resolved(reference);
    const content = jsonContent(response);
    const headers = Object.keys(response.headers || {});
    return el("tr", {},
      el("th", { scope: "row" }, el("span", { class: `status ${statusClass(Number(status))}` }, status)),
      el("td", {}, inline(response.description),
        headers.length > 0 && el("div", { class: "limits" }, `header ${headers.join(", ")}`),
        content && unfoldable(content.schema)));
  })));
}

function operationPage(operation) {
  const body = jsonContent(operation.requestBody);
  const parameters = operation.parameters || [];
  return [
    el("h1", { tabindex: "-1" }, operation.summary),
    el("div", { class: "address" },
      el("span", { class: `method ${operation.method}` }, operation.method),
      el("span", { class: "path" }, api.servers[0].url + operation.path),
      el("span", { class: "soft" }, operation.operationId)),
    prose(operation.description),
    el("div", { class: "columns" },
      el("div", {},
        parameters.length > 0 && el("section", { class: "card" }, el("h2", {}, "Parameters"), parameterList(parameters)),
        body && el("section", { class: "card" }, el("h2", {}, `Body: ${typeName(body.schema)}`),
          fieldList(resolved(body.schema))),
        el("section", { class: "card" }, el("h2", {}, "Answers"), responseTable(operation.responses))),
      callPanel(operation)),
  ].flat();
}

// A call

function callPanel(operation) {
  const content = jsonContent(operation.requestBody);
  const inputs = (operation.parameters || []).map((parameter) => ({
    parameter,
    input: el("input", { name: parameter.name, required: parameter.required, autocomplete: "off", spellcheck: "false" }),
  }));
  const body = content && el("textarea", { "aria-label": "Request body", spellcheck: "false" });
  const notice = el("p", { class: "notice", role: "alert", hidden: true });
  const answer = el("div", { "aria-live": "polite" });
  const send = el("button", { type: "submit" }, "Send");

  const say = (text) => {
    notice.textContent = text;
    notice.hidden = !text;
  };
  const reset = () => {
    if (body) body.value = pretty(content.example);
    for (const { parameter, input } of inputs) input.value = exampleParameter(parameter, content);
    say("");
  };
  const renew = () => {
    say("");
    try {
      const message = body ? renewed(operation, JSON.parse(body.value)) : null;
      if (body) body.value = pretty(message);
      for (const { parameter, input } of inputs) input.value = rememberedParameter(parameter, message) || input.value;
    } catch (error) {
      say(`The body is not JSON: ${error.message}`);
    }
  };

  const form = el("form", {
    class: "card call",
    "aria-label": "Try it",
    onsubmit: async (event) => {
      event.preventDefault();
      say("");
      send.disabled = true;
      try {
        answer.replaceChildren(...await call(operation, inputs, body && body.value));
      } catch (error) {
        say(`No answer: ${error.message}`);
      } finally {
        send.disabled = false;
      }
    },
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    },
  },
  el("h2", {}, "Try it"),
  inputs.length > 0 && el("div", { class: "fields" }, inputs.map(({ parameter, input }) =>
    el("label", {}, el("span", {}, parameter.name, parameter.required && el("span", { class: "required" }, "required")), input))),
  body,
  el("div", { class: "actions" },
    send,
    (body || inputs.length > 0) && el("button", { type: "button", class: "quiet", onclick: renew },
      body ? "New ids and time" : "Use the last ones"),
    (body || inputs.length > 0) && el("button", { type: "button", class: "quiet", onclick: reset }, "Reset"),
    el("kbd", {}, "Ctrl + Enter sends")),
  notice,
  answer);
  reset();
  return form;
}

function exampleParameter(parameter, content) {
  return parameter.name === "provisionId" && content ? content.example.id : "";
}

/** Fills a parameter from what this page has done before. */
function rememberedParameter(parameter, message) {
  const provision = remembered.byTag.Vouchers;
  const redemption = remembered.byTag.Redemptions;
  switch (parameter.name) {
    case "provisionId": return message && message.id;
    case "provisionRequestId": return provision && provision.id;
    case "requestId": return redemption && redemption.id;
    default: return "";
  }
}

/** Makes a message fresh: its own id and time, and the ids of whatever it is about. */
function renewed(operation, message) {
  const user = byId("user").value;
  const about = remembered.byTag[operation.tags[0]];
  if (operation.operationId === "retryProvisionVoucher" && about) return about.request;
  message.id = newUuid();
  message.time = new Date().toISOString();
  if (message.client && user) message.client.id = user;
  if (message.requestId && about) {
    message.requestId = about.id;
    message.thirdPartyIdentifiers = about.thirdPartyIdentifiers;
  }
  if (message.voucher && remembered.voucherCode) message.voucher.code = remembered.voucherCode;
  if (message.redemptionId && remembered.byTag.Redemptions) message.redemptionId = remembered.byTag.Redemptions.id;
  return message;
}

function remember(operation, status, request, response) {
  if (status !== 201 || !request || !response) return;
  remembered.byTag[operation.tags[0]] = {
    id: request.id,
    request,
    thirdPartyIdentifiers: response.thirdPartyIdentifiers,
  };
  if (response.voucher && response.voucher.code) remembered.voucherCode = response.voucher.code;
}

function authorization() {
  if (byId("scheme").value === "bearer") {
    const token = byId("token").value;
    return token ? { Authorization: `Bearer ${token}` } : {};
  }
  const user = byId("user").value;
  if (!user) return {};
  const bytes = new TextEncoder().encode(`${user}:${byId("password").value}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...bytes))}` };
}

function address(operation, inputs) {
  let path = operation.path;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.append(parameter.name, input.value);
  }
  return api.servers[0].url + path + (query.size ? `?${query}` : "");
}

async function call(operation, inputs, body) {
  const url = address(operation, inputs);
  const started = performance.now();
  const response = await fetch(url, {
    method: operation.method.toUpperCase(),
    headers: { ...authorization(), ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body || undefined,
    // Without this the browser would ask for a password of its own after a 401.
    credentials: "omit",
    cache: "no-store",
  });
  const text = await response.text();
  const took = performance.now() - started;
  let parsed = null;
  try {
    parsed = JSON.parse(text);
    remember(operation, response.status, body && JSON.parse(body), parsed);
  } catch {
    // Not every answer has a JSON body; the text is shown as it came.
  }
  return [el("div", { class: "answer" },
    el("span", { class: `status ${statusClass(response.status)}` }, `${response.status} ${response.statusText}`),
    el("span", { class: "soft" }, `  ${took.toFixed(0)} ms  ${operation.method.toUpperCase()} ${url}`),
    el("dl", {}, [...response.headers].flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    text ? el("pre", { tabindex: "0" }, parsed === null ? text : coloured(pretty(parsed))) : el("p", { class: "soft" }, "No body."))];
}

/** Splits printed JSON into names, texts and other values. */
function coloured(json) {
  const parts = json.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/);
  return parts.map((part, index) => {
    if (index % 2 === 0) return part;
    const kind = part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : "other";
    return el("span", { class: `json-${kind}` }, part);
  });
}

// The page

function overview() {
  const groups = api.tags.map((tag) => el("section", { class: "card" },
    el("h2", {}, tag.name), el("p", { class: "soft" }, tag.description), operationLinks(tag)));
  return [
    el("h1", { tabindex: "-1" }, api.info.title),
    prose(api.info.description),
    el("p", {}, "The whole description for your tools: ", el("a", { href: "/openapi.json" }, "/openapi.json")),
    el("div", { class: "groups" }, groups),
  ].flat();
}

function operationLinks(tag) {
  return el("ul", { class: "links" }, operations().filter((operation) => operation.tags.includes(tag.name)).map((operation) =>
    el("li", {}, el("a", { href: `#${operation.operationId}` },
      el("span", { class: `method ${operation.method}` }, operation.method), operation.summary))));
}

function navigation() {
  const home = el("ul", { class: "links" }, el("li", {}, el("a", { href: "#overview" }, "Overview")));
  byId("nav").replaceChildren(home, ...api.tags.flatMap((tag) => [el("h2", {}, tag.name), operationLinks(tag)]));
}

function show() {
  const name = location.hash.slice(1) || "overview";
  if (name === "main") return;
  const operation = operations().find((candidate) => candidate.operationId === name);
  byId("main").replaceChildren(...(operation ? operationPage(operation) : overview()));
  document.title = `${operation ? operation.summary : api.info.title} · interface`;
  for (const link of byId("nav").querySelectorAll("a")) {
    if (link.hash === `#${operation ? name : "overview"}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  toggleMenu(false);
  window.scrollTo(0, 0);
}

function toggleMenu(open) {
  byId("nav").classList.toggle("open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
}

function chooseScheme() {
  for (const label of document.querySelectorAll("[data-scheme]")) {
    label.hidden = label.dataset.scheme !== byId("scheme").value;
  }
}

async function start() {
  byId("credentials").addEventListener("submit", (event) => event.preventDefault());
  byId("scheme").addEventListener("change", chooseScheme);
  byId("menu").addEventListener("click", () => toggleMenu(!byId("nav").classList.contains("open")));
  try {
    const response = await fetch("/openapi.json", { credentials: "omit" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    api = await response.json();
  } catch (error) {
    byId("loading").textContent = `The description of the interface could not be read: ${error.message}`;
    return;
  }
  byId("version").textContent = api.info.version;
  navigation();
  show();
  window.addEventListener("hashchange", () => {
    show();
    // After a click in the menu the reader, seeing or not, continues at the new heading.
    const heading = byId("main").querySelector("h1");
    if (heading) heading.focus({ preventScroll: true });
  });
}

start();
