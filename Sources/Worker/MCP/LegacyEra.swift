/// The methods of the revisions that open with `initialize`, 2024-11-05 to 2025-11-25. Pure: a request comes in, and
/// what is to be done comes out.
struct LegacyEra {
    /// What a request leads to.
    enum Action {
        case answer(JSONObject)
        case refuse(RPCError)
        /// Call the tool, then answer with `shape` of its result.
        case call(tool: String, arguments: JSONObject, progressToken: RequestID?)
    }

    private(set) var revision: Revision?
    let serverInfo: JSONObject

    mutating func handle(_ method: String, _ params: JSONObject, tools: some ToolSet) -> Action {
        switch method {
        case "initialize": return initialize(params, tools)
        case "ping": return .answer([:])
        default: break
        }
        guard let revision else {
            return .refuse(.invalidRequest("\"\(method.prefix(200))\" before \"initialize\""))
        }
        switch method {
        case "tools/list": return list(params, tools, revision)
        case "tools/call": return call(params)
        default: return .refuse(.methodNotFound(method))
        }
    }

    private mutating func initialize(_ params: JSONObject, _ tools: some ToolSet) -> Action {
        guard revision == nil else { return .refuse(.invalidRequest("the connection is initialized already")) }
        guard let asked = params["protocolVersion"]?.string else {
            return .refuse(.invalidParams("\"protocolVersion\" must be a string"))
        }
        let agreed = Revision(rawValue: asked) ?? .newest
        revision = agreed
        return .answer([
            "protocolVersion": .string(agreed.rawValue), "capabilities": ["tools": [:]],
            "serverInfo": .object(serverInfo), "instructions": .string(tools.instructions),
        ])
    }

    private func list(_ params: JSONObject, _ tools: some ToolSet, _ revision: Revision) -> Action {
        // Everything fits one page, so no cursor was ever given out.
        guard params["cursor"] == nil else { return .refuse(.invalidParams("unknown \"cursor\"")) }
        return .answer(["tools": .array(tools.tools.map { .object(describe($0, revision)) })])
    }

    private func describe(_ tool: ToolDescription, _ revision: Revision) -> JSONObject {
        var entry: JSONObject = ["name": .string(tool.name)]
        if revision.hasStructuredContent { entry["title"] = .string(tool.title) }
        entry["description"] = .string(tool.description)
        entry["inputSchema"] = .object(tool.inputSchema)
        if revision.hasStructuredContent { entry["outputSchema"] = .object(tool.outputSchema) }
        if revision.hasAnnotations {
            var annotations = tool.annotations
            // Before tools had titles of their own, this was the place.
            if !revision.hasStructuredContent { annotations["title"] = .string(tool.title) }
            entry["annotations"] = .object(annotations)
        }
        return entry
    }

    private func call(_ params: JSONObject) -> Action {
        guard let name = params["name"]?.string else { return .refuse(.invalidParams("\"name\" must be a string")) }
        // Whether there is such a tool the tools say: a call of one that is switched off is a call, too.
        let token = RequestID(params["_meta"]?.object?["progressToken"])
        switch params["arguments"] {
        case .none: return .call(tool: name, arguments: JSONObject(), progressToken: token)
        case .some(.object(let arguments)): return .call(tool: name, arguments: arguments, progressToken: token)
        case .some(let other):
            return .refuse(.invalidParams("\"arguments\" must be an object, not \(other.typeName)"))
        }
    }

    static func unknownTool(_ name: String) -> RPCError { .invalidParams("unknown tool \"\(name.prefix(200))\"") }

    /// The `CallToolResult` of the negotiated revision: the structured result, and the same JSON as text.
    func shape(_ result: ToolResult) -> JSONObject {
        switch result {
        case .failure(let text):
            return ["content": [["type": "text", "text": .string(text)]], "isError": true]
        case .success(let structured):
            var shaped: JSONObject = ["content": [["type": "text", "text": .encoded(structured)]]]
            if revision?.hasStructuredContent == true { shaped["structuredContent"] = .object(structured) }
            shaped["isError"] = false
            return shaped
        }
    }
}
