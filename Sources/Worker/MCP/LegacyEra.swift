internal import JSON

/// The methods of the revisions that open with `initialize`, 2024-11-05 to 2025-11-25. Pure: a request comes in, and
/// what is to be done comes out.
struct LegacyEra {
    private(set) var revision: Revision?
    /// The least level of log messages that the client wants, once it has set one.
    private(set) var logLevel: ClientLogLevel?
    let serverInfo: JSONObject

    init(serverInfo: JSONObject) {
        self.serverInfo = serverInfo
    }

    mutating func handle(_ method: String, _ params: JSONObject, tools: some ToolSet) -> EraAction {
        do throws(RPCError) {
            switch method {
            case "initialize": return .answer(try initialize(params, tools))
            case "ping": return .answer([:])
            default: break
            }
            guard let revision else { throw .invalidRequest("\"\(method)\" before \"initialize\"") }
            switch method {
            case "tools/list": return .answer(try list(params, tools, revision))
            case "tools/call":
                return .call(
                    try ToolCall(
                        params, logLevel: logLevel, shape: revision.shape,
                        hasProgressMessage: revision.hasProgressMessage))
            case "logging/setLevel":
                logLevel = try ClientLogLevel(asked: params["level"])
                return .answer([:])
            default: throw .methodNotFound(method)
            }
        } catch {
            return .refuse(error)
        }
    }

    private mutating func initialize(_ params: JSONObject, _ tools: some ToolSet) throws(RPCError) -> JSONObject {
        guard revision == nil else { throw .invalidRequest("the connection is initialized already") }
        guard let asked = params["protocolVersion"]?.string?.bounded else {
            throw .invalidParams("\"protocolVersion\" must be a string")
        }
        let agreed = Revision(rawValue: asked) ?? .newest
        revision = agreed
        return [
            "protocolVersion": .string(agreed.rawValue), "capabilities": .object(ModernEra.capabilities),
            "serverInfo": .object(serverInfo), "instructions": .string(tools.instructions),
        ]
    }

    private func list(
        _ params: JSONObject, _ tools: some ToolSet, _ revision: Revision
    ) throws(RPCError) -> JSONObject {
        // Everything fits one page, so no cursor was ever given out.
        guard params["cursor"] == nil else { throw .invalidParams("unknown \"cursor\"") }
        return ["tools": .array(tools.tools.map { .object($0.entry(revision)) })]
    }
}

extension ToolDescription {
    /// The tool as a revision's `Tool` has it.
    func entry(_ revision: Revision) -> JSONObject {
        var entry: JSONObject = ["name": .string(name)]
        if revision.hasStructuredContent { entry["title"] = .string(title) }
        entry["description"] = .string(description)
        entry["inputSchema"] = .object(inputSchema)
        if revision.hasStructuredContent { entry["outputSchema"] = .object(outputSchema) }
        if revision.hasAnnotations {
            var annotations = annotations
            // In revisions before tools had titles, the title stands here.
            if !revision.hasStructuredContent { annotations["title"] = .string(title) }
            entry["annotations"] = .object(annotations)
        }
        return entry
    }
}
