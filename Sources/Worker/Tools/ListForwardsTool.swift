internal import IPC
internal import JSON
internal import MCP
internal import SSH

/// `ssh_list_forwards`: lists the forwards, and tells which of them work, as far as can be seen from here.
enum ListForwardsTool: Tool {
    static let name = "ssh_list_forwards"
    static let hasHost = false

    static let needs: [Capability] = [.portForward]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "List port forwards",
            description:
                "Lists the port forwards of all sessions, looked at now: running, or dead or unknown with the reason.",
            inputSchema: Schema.object(["host": Schema.string("Only of this one")]),
            outputSchema: Schema.result(
                [
                    "forwards": [
                        "type": "array",
                        "items": .object(
                            Schema.result(
                                [
                                    "forward_id": Schema.integer(), "local_port": Schema.integer(),
                                    "status": Schema.string(),
                                ])),
                    ]
                ]),
            readOnly: true, destructive: false, idempotent: true)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(values, tool: name, known: ["host"])
            let only = try arguments.string("host").map { try context.host($0).name }
            let answer = try await Forwarding.ask(.list, context)
            guard case .list(let all) = answer else { throw Forwarding.failure(answer, context) }
            let entries = all.filter { only == nil || $0.host == only }
            let reached = await reached(Set(entries.map(\.host)), context)
            return [
                "forwards": .array(
                    entries.map { entry in
                        var shown = Forwarding.shown(entry)
                        let status = Forwarding.status(entry, reached[entry.host], context)
                        for member in status.members { shown[member.name] = member.value }
                        return .object(shown)
                    })
            ]
        }
    }

    /// Asks all hosts at once whether they answer. There are at most as many hosts as forwards. Hosts of one ControlMaster share
    /// the question.
    private static func reached(
        _ hosts: Set<String>, _ context: ToolContext
    ) async -> [String: HostSessions.Reach] {
        await withTaskGroup(of: (String, HostSessions.Reach).self) { group in
            for host in hosts {
                guard let sessions = context.access[host]?.sessions else { continue }
                group.addTask { (host, await sessions.reach()) }
            }
            var reached: [String: HostSessions.Reach] = [:]
            for await (host, reach) in group { reached[host] = reach }
            return reached
        }
    }
}
