// @ts-check
/** What an OpenAPI document says of each route, in the words that the page shows. Touches no page. */

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
const DEEPEST = 3;

/** The first that fits gives a route its resource. @type {[string, RegExp][]} */
const RESOURCES = [
  ["WHIP and WHEP", /\/(whip|whep)(\/|$)/],
  ["Signaling over HTTP", /^\/api\/v1\/rooms\/\{id\}\/(join|signal|events|leave)$/],
  ["People and calls", /^\/api\/v1\/(rooms\/\{id\}\/(participants|calls)|calls)/],
  ["Moderation", /^\/api\/v1\/rooms\/\{id\}\/(moderation|audit)/],
  ["Bans", /^\/api\/v1\/(rooms\/\{id\}\/)?bans/],
  ["Invites", /^\/api\/v1\/(rooms\/\{id\}\/)?invites/],
  ["Messages", /^\/api\/v1\/rooms\/\{id\}\/messages/],
  ["Rooms", /^\/api\/v1\/rooms/],
  ["Tokens and keys", /^\/(api\/v1\/(tokens|api-keys)|auth|dev)/],
  ["Webhooks and events", /^\/api\/v1\/(webhooks|events)/],
  ["Server", /./],
];
const ORDER = ["Rooms", "People and calls", "Moderation", "Bans", "Invites", "Messages", "Tokens and keys", "Webhooks and events", "Signaling over HTTP", "WHIP and WHEP", "Server"];

/** @typedef {Record<string, any>} Schema */
/** @typedef {{name: string, type: string, required: boolean, about: string, fields: Field[], where?: string, schema: Schema}} Field */
/** @typedef {{status: string, about: string, codes: string[], media: string, fields: Field[]}} Answer */
/**
 * @typedef {object} Route
 * @property {string} id
 * @property {string} method
 * @property {string} path
 * @property {string} summary
 * @property {string} about
 * @property {Field[]} parameters
 * @property {{about: string, fields: Field[], example: unknown}|null} body
 * @property {Answer[]} answers
 * @property {string} text what a search looks in
 */

/**
 * The routes by their resource, both in the order in which they are looked for.
 * @param {any} document
 * @returns {[string, Route[]][]}
 */
export function resourcesOf(document) {
  /** @type {Map<string, Route[]>} */
  const groups = new Map(ORDER.map((name) => [name, []]));
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of METHODS.filter((name) => methods[name])) {
      const route = routeOf(document, path, method, methods[method]);
      const resource = methods[method].tags?.[0] ?? RESOURCES.find(([, pattern]) => pattern.test(path))?.[0] ?? "Server";
      groups.set(resource, [...(groups.get(resource) ?? []), route]);
    }
  }
  return [...groups].filter(([, routes]) => routes.length);
}

/** Whether a route has all the words. @param {Route} route @param {string} typed */
export function fits(route, typed) {
  return typed.toLowerCase().split(/\s+/).every((word) => route.text.includes(word));
}

/** @param {any} document @param {string} path @param {string} method @param {any} operation @returns {Route} */
function routeOf(document, path, method, operation) {
  const parameters = (operation.parameters ?? []).map((/** @type {any} */ one) => ({ ...fieldOf(document, one.name, one.schema, Boolean(one.required), 0), where: one.in, about: [one.description, aboutOf(one.schema)].filter(Boolean).join(" ") }));
  const asked = operation.requestBody?.content ?? {};
  const [schema] = Object.values(asked).map((/** @type {any} */ one) => one.schema);
  const resolved = schema && resolve(document, schema);
  const body = schema ? { about: resolved.description ?? "", fields: fieldsOf(document, schema, 0), media: Object.keys(asked)[0], example: exampleOf(document, schema) } : null;
  const answers = Object.entries(operation.responses).map(([status, one]) => answerOf(document, status, one));
  const names = [...parameters, ...(body?.fields ?? [])].map(({ name }) => name);
  const text = [method, path, operation.summary, ...names, ...answers.flatMap(({ codes }) => codes)].join(" ").toLowerCase();
  return { id: operation.operationId, method: method.toUpperCase(), path, summary: operation.summary ?? "", about: operation.description ?? "", parameters, body, answers, text };
}

/** @param {any} document @param {string} status @param {any} response @returns {Answer} */
function answerOf(document, status, response) {
  const [media, content] = Object.entries(response.content ?? {})[0] ?? ["", null];
  const error = media === "application/problem+json";
  const codes = error ? response.description.replace(/^Error: /, "").split(", ") : [];
  return { status, about: error ? "" : response.description, codes, media, fields: content && !error ? fieldsOf(document, content.schema, 0) : [] };
}

/** @param {any} document @param {Schema} schema @returns {Schema} */
function resolve(document, schema) {
  return schema.$ref ? (document.components.schemas[schema.$ref.split("/").pop()] ?? {}) : schema;
}

/** The fields of an object, or of what a list or a choice is made of. @param {any} document @param {Schema} schema @param {number} depth @returns {Field[]} */
function fieldsOf(document, schema, depth) {
  if (depth >= DEEPEST) return [];
  const found = resolve(document, schema);
  if (found.properties) {
    const fields = Object.entries(found.properties).map(([name, one]) => fieldOf(document, name, one, (found.required ?? []).includes(name), depth + 1));
    return fields.sort((one, other) => Number(other.required) - Number(one.required));
  }
  const inside = found.items ?? found.anyOf?.find((/** @type {Schema} */ one) => one.$ref || one.items);
  return inside ? fieldsOf(document, inside, depth) : [];
}

/** @param {any} document @param {string} name @param {Schema} schema @param {boolean} required @param {number} depth @returns {Field} */
function fieldOf(document, name, schema, required, depth) {
  return { name, type: typeOf(schema), required, about: aboutOf(schema), fields: fieldsOf(document, schema, depth), schema: resolve(document, schema) };
}

/** @param {Schema} schema @returns {string} */
export function typeOf(schema) {
  if (schema.$ref) return "object";
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return `list of ${schema.items ? typeOf(schema.items) : "anything"}`;
  if (schema.format === "date-time") return "time";
  return schema.type ?? "anything";
}

/** What else is said of it: its description, its bounds, what it is otherwise. @param {Schema} schema */
function aboutOf(schema) {
  const bounds = boundsOf(schema) || (schema.anyOf ?? []).map(boundsOf).find(Boolean) || "";
  const otherwise = schema.default === undefined || schema.default === null || schema.default === "" ? "" : `Default: ${JSON.stringify(schema.default)}.`;
  return [schema.description, bounds, otherwise].filter(Boolean).join(" ");
}

/** @param {Schema} schema */
function boundsOf({ minimum, maximum, minLength, maxLength }) {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (maximum !== undefined) return `At most ${maximum}.`;
  if (minimum !== undefined) return `At least ${minimum}.`;
  return maxLength === undefined ? "" : `${minLength ? `${minLength} to` : "At most"} ${maxLength} characters.`;
}

/** A body to begin with: what must be there. @param {any} document @param {Schema} schema @returns {unknown} */
function exampleOf(document, schema) {
  const { properties = {}, required = [] } = resolve(document, schema);
  return Object.fromEntries(required.map((/** @type {string} */ name) => [name, beginningOf(resolve(document, properties[name] ?? {}))]));
}

/** @param {Schema} schema @returns {unknown} */
function beginningOf(schema) {
  if (schema.enum) return schema.enum[0];
  /** @type {Record<string, unknown>} */
  const usual = { string: "", integer: schema.minimum ?? 0, number: 0, boolean: false, array: [], object: {} };
  return usual[schema.type ?? schema.anyOf?.[0]?.type] ?? null;
}
