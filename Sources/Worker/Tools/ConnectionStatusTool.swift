internal import IPC
internal import JSON
internal import MCP
internal import SFTP
internal import SSH

/// `ssh_connection_status`: which hosts can be reached, and what the user must type where one cannot.
enum ConnectionStatusTool: Tool {
    static let name = "ssh_connection_status"

    /// Hosts asked at once: each that is up may take a session that finds out how its files are reached.
    private static let atOnce = 8

    static let hasHost = false

    static let needs: [Capability] = []

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "SSH sessions",
            description:
                "Shows whether the user's SSH session to each host is alive, and who is there. If not, give the user the command "
                + "in \"hint\"; you cannot run it.",
            inputSchema: ["type": "object", "additionalProperties": false],
            outputSchema: Schema.result(
                [
                    "default_host": Schema.string(),
                    "hosts": [
                        "type": "array",
                        "items": .object(
                            Schema.result(
                                [
                                    "name": Schema.string(), "connected": Schema.boolean(), "hint": Schema.string(),
                                ])),
                    ],
                ]),
            readOnly: true, destructive: false, idempotent: true)
    }

    static func askAhead(_ context: ToolContext) -> MasterStates {
        var states = MasterStates()
        for host in context.policy.hosts.prefix(atOnce) {
            if let sessions = context.access[host.name]?.sessions { states.ask(sessions) }
        }
        return states
    }

    static func call(_ arguments: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            _ = try Arguments(arguments, tool: name, known: [])
            return await statuses(context)
        }
    }

    private static func statuses(_ context: ToolContext) async -> JSONObject {
        let hosts = context.policy.hosts
        if hosts.count == 1 {
            // In a task of its own it would wait for a thread.
            return [
                "default_host": .string(context.policy.defaultHost),
                "hosts": .array([await status(of: hosts[0], context)]),
            ]
        }
        var entries: [JSONValue] = Array(repeating: .null, count: hosts.count)
        await withTaskGroup(of: (Int, JSONValue).self) { group in
            for (index, host) in hosts.enumerated() {
                if index >= atOnce, let done = await group.next() { entries[done.0] = done.1 }
                group.addTask { (index, await status(of: host, context)) }
            }
            for await done in group { entries[done.0] = done.1 }
        }
        return ["default_host": .string(context.policy.defaultHost), "hosts": .array(entries)]
    }

    /// How files are reached there; nil where that cannot be told in a few seconds.
    private static func fileTransport(of host: PolicySnapshot.Host, _ context: ToolContext) async -> FileTransport? {
        guard let files = context.access[host.name]?.files else { return nil }
        if let known = files.knownTransport { return known }
        let finding = Task { try? await files.transport() }
        let limit = Timer(.seconds(5)) { finding.cancel() }
        defer { limit.cancel() }
        return await finding.value
    }

    private static func status(of host: PolicySnapshot.Host, _ context: ToolContext) async -> JSONValue {
        let state: MasterState =
            if let sessions = context.access[host.name]?.sessions {
                await context.ahead.state(of: sessions)
            } else {
                .down(.noHost)
            }
        var entry: JSONObject = [
            "name": .string(host.name), "connected": .bool(state.isAlive), "socket": .string(host.master.socket),
        ]
        switch state {
        case .alive:
            let reach = await context.access[host.name]?.sessions.responds(seen: state) ?? .masterDown(.noHost)
            entry["responding"] = .bool(reach == .answers)
            guard reach == .answers else {
                entry["hint"] = .string(Failures.unreached(host, reach))
                break
            }
            let identity = await context.access[host.name]?.sessions.identity(seen: state) ?? .notAsked
            for fact in HostFacts.status(identity, host).members { entry[fact.name] = fact.value }
            guard entry["problem"] == nil else { break }
            if host.capabilities.fileRead || host.capabilities.fileWrite {
                entry["file_transport"] = await fileTransport(of: host, context).map { .string($0.rawValue) }
            }
        case .down(let why):
            if why == .hung { entry["responding"] = false }
            entry["hint"] = .string(Failures.masterDown(host, why))
        }
        return .object(entry)
    }
}
