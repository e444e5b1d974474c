internal import JSON

/// The stateless revision 2026-07-28: every request carries what is needed to answer it. Pure, and the same for all
/// requests of a connection.
struct ModernEra {
    static let version = "2026-07-28"
    /// All revisions that this server speaks: this one first, then the others from new to old.
    static let supportedVersions = [version] + Revision.allCases.reversed().map(\.rawValue)

    /// How long a client may keep the list of tools, in milliseconds. Then it sees a reload, although it did not subscribe to
    /// changes.
    static let timeToLive: Int64 = 60_000

    /// What `_meta` says of a request.
    enum Era: Equatable {
        case legacy
        case modern(logLevel: ClientLogLevel?)
    }

    let serverInfo: JSONObject

    /// Chooses the era of one request.
    func era(_ method: String, _ params: JSONObject) throws(RPCError) -> Era {
        let meta: JSONObject
        switch params["_meta"] {
        case .none: meta = JSONObject()
        case .some(.object(let members)): meta = members
        case .some(let other): throw .invalidParams("\"_meta\" must be an object, not \(other.typeName)")
        }
        guard let asked = meta["io.modelcontextprotocol/protocolVersion"] else {
            // No older revision has this member, so the client forgot the version.
            guard meta["io.modelcontextprotocol/clientCapabilities"] == nil else {
                throw .invalidParams("\"_meta\" must have \"io.modelcontextprotocol/protocolVersion\"")
            }
            // Nothing in the answer depends on who asks, and no older revision has the method.
            return method == "server/discover" ? .modern(logLevel: nil) : .legacy
        }
        guard let version = asked.string else {
            throw .invalidParams("\"io.modelcontextprotocol/protocolVersion\" must be a string, not \(asked.typeName)")
        }
        guard version.hasBytes(of: Self.version) else { throw Self.unsupported(version) }
        guard meta["io.modelcontextprotocol/clientCapabilities"]?.object != nil else {
            throw .invalidParams(
                "\"_meta\" must have \"io.modelcontextprotocol/clientCapabilities\", an object, which may be empty")
        }
        guard let level = meta["io.modelcontextprotocol/logLevel"] else { return .modern(logLevel: nil) }
        return .modern(logLevel: try ClientLogLevel(asked: level))
    }

    private static func unsupported(_ version: String) -> RPCError {
        // The client named a revision that this server speaks, but asked as another revision does.
        let hint = Revision(rawValue: version.bounded) == nil ? "" : "; this one opens with \"initialize\""
        return RPCError(
            code: -32022, message: "Unsupported protocol version: \(version.bounded)\(hint)",
            data: [
                "supported": .array(supportedVersions.map { .string($0) }), "requested": .string(version),
            ])
    }

    func handle(_ method: String, _ params: JSONObject, logLevel: ClientLogLevel?, tools: some ToolSet) -> EraAction {
        do throws(RPCError) {
            switch method {
            case "server/discover": return .answer(discover(tools))
            case "tools/list": return .answer(try list(params, tools))
            case "tools/call":
                return .call(try ToolCall(params, logLevel: logLevel, shape: .modern(self)))
            case "subscriptions/listen": return .listen(toolsListChanged: try Self.filter(params))
            default: return .refuse(.methodNotFound(method))
            }
        } catch {
            return .refuse(error)
        }
    }

    private func discover(_ tools: some ToolSet) -> JSONObject {
        complete(
            cacheable: [
                "supportedVersions": .array(Self.supportedVersions.map { .string($0) }),
                "capabilities": .object(Self.capabilities), "instructions": .string(tools.instructions),
            ])
    }

    /// The same in every era.
    static let capabilities: JSONObject = ["logging": [:], "tools": ["listChanged": true]]

    private func list(_ params: JSONObject, _ tools: some ToolSet) throws(RPCError) -> JSONObject {
        // Everything fits one page, so no cursor was ever given out.
        guard params["cursor"] == nil else { throw .invalidParams("unknown \"cursor\"") }
        let entries = tools.tools.map { JSONValue.object($0.entry(.november2025)) }
        return complete(cacheable: ["tools": .array(entries)])
    }

    /// Whether the client asks for changes to the list of tools; there are no others here.
    private static func filter(_ params: JSONObject) throws(RPCError) -> Bool {
        guard let filter = params["notifications"]?.object else {
            throw .invalidParams("\"notifications\" must be an object")
        }
        switch filter["toolsListChanged"] {
        case .none: return false
        case .some(.bool(let wanted)): return wanted
        case .some(let other): throw .invalidParams("\"toolsListChanged\" must be a boolean, not \(other.typeName)")
        }
    }

    /// A result with what every result of this revision carries.
    func complete(_ result: JSONObject, meta: JSONObject = JSONObject()) -> JSONObject {
        var (result, meta) = (result, meta)
        meta["io.modelcontextprotocol/serverInfo"] = .object(serverInfo)
        result["resultType"] = "complete"
        result["_meta"] = .object(meta)
        return result
    }

    private func complete(cacheable result: JSONObject) -> JSONObject {
        var result = complete(result)
        result["ttlMs"] = .integer(Self.timeToLive)
        result["cacheScope"] = "private"
        return result
    }

    // MARK: Subscriptions

    private static func tag(_ id: RequestID) -> JSONObject { ["io.modelcontextprotocol/subscriptionId": id.json] }

    /// The first message on a subscription: what of the filter will be kept.
    static func acknowledgement(_ id: RequestID, toolsListChanged: Bool) -> JSONValue {
        Outgoing.notification(
            "notifications/subscriptions/acknowledged",
            [
                "_meta": .object(tag(id)), "notifications": toolsListChanged ? ["toolsListChanged": true] : [:],
            ])
    }

    static func toolsListChanged(_ id: RequestID) -> JSONValue {
        Outgoing.notification("notifications/tools/list_changed", ["_meta": .object(tag(id))])
    }

    /// The result that ends a subscription from our side.
    func subscriptionEnd(_ id: RequestID) -> JSONValue {
        Outgoing.result(id, complete(JSONObject(), meta: Self.tag(id)))
    }
}
