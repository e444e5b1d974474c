internal import IPC
internal import JSON
internal import MCP
internal import SSH

/// `ssh_cancel_forward`: closes the port of a forward.
enum CancelForwardTool: Tool {
    static let name = "ssh_cancel_forward"
    static let hasHost = false

    static let needs: [Capability] = [.portForward]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Cancel a port forward",
            description:
                "Closes a forward's local port, named by forward_id or local_port. Connections through it go on.",
            inputSchema: Schema.object(
                ["forward_id": Schema.integer(), "local_port": Schema.integer(), "host": Schema.host()]),
            outputSchema: Schema.result(["cancelled": Schema.boolean()]),
            readOnly: false, destructive: true, idempotent: false)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            let arguments = try Arguments(values, tool: name, known: ["forward_id", "local_port", "host"])
            let id = try arguments.integer("forward_id", in: 1...Int(UInt32.max)) ?? 0
            let port = try arguments.integer("local_port", in: 1...65_535) ?? 0
            guard (id == 0) != (port == 0) else {
                throw Arguments.Mistake(sentence: "\(name): name the forward by \"forward_id\" or by \"local_port\".")
            }
            let host = try arguments.string("host").map { try context.host($0).name } ?? ""
            let request = ToSupervisor.Forwards.cancel(
                forward: UInt32(id), localPort: UInt16(port), host: host, call: CallInHand.number)
            // The task is detached, so that a cancelling that has begun is ended and the supervisor hears of it.
            let entry = try await Task.detached { () async throws(FileFailure) in
                try await Forwarding.close(request, context)
            }.value
            var result: JSONObject = ["cancelled": true]
            for member in Forwarding.shown(entry).members where member.name != "since" {
                result[member.name] = member.value
            }
            return result
        }
    }
}
