internal import Glibc
internal import IPC
internal import JSON
internal import MCP
internal import Policy
internal import SSH

/// `ssh_forward_port`: a port of this machine that leads to one behind a host, or to a Unix socket there.
enum ForwardPortTool: Tool {
    static let name = "ssh_forward_port"

    static let needs: [Capability] = [.portForward]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Forward a port",
            description:
                "Opens a port on 127.0.0.1 here that leads through the host to remote_host:remote_port, or remote_socket (a path). "
                + "It stays open until cancelled or the daemon ends.",
            inputSchema: Schema.object(
                [
                    "remote_host": Schema.string("Name or address"), "remote_port": Schema.integer(),
                    "remote_socket": Schema.string(),
                    "local_port": Schema.integer("Omit for a free one"), "host": Schema.host(),
                ]),
            outputSchema: Schema.result(
                ["local_port": Schema.integer(), "forward_id": Schema.integer(), "note": Schema.string()]),
            readOnly: false, destructive: true, idempotent: false)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result { try await forward(values, context) }
    }

    private static func forward(_ values: JSONObject, _ context: ToolContext) async throws -> JSONObject {
        let arguments = try Arguments(
            values, tool: name, known: ["remote_host", "remote_port", "remote_socket", "local_port", "host"])
        let target = try target(arguments)
        let local = try arguments.integer("local_port", in: 1...65_535) ?? 0
        let host = try context.host(try arguments.string("host"))
        // The gate judges before a port is chosen and written down, and once more when it is to open it.
        switch await context.access[host.name]?.sessions.judgeForward(to: target) {
        case .refused(let refusal): throw refusal
        case .master(.down(let why)):
            throw FileFailure(sentence: Failures.masterDown(host, why, outcome: "No forward was opened."))
        case .allowed, .master(.alive), .none: break
        }
        if let identity = await context.access[host.name]?.sessions.otherUser() {
            throw FileFailure(sentence: HostFacts.otherUser(host, identity, outcome: "No forward was opened."))
        }
        let call = CallInHand.number
        let began = UInt64(clamping: time(nil))
        // The task is detached, because a call that is cancelled must not leave the port half made.
        let result = try await Task.detached { () async throws(FileFailure) in
            try await establish(host, target, UInt16(local), context, call)
        }.value
        guard Task.isCancelled, let id = result["forward_id"] else { return result }
        // The call was cancelled, so nobody will read of the forward: it is closed again.
        // One that was there before the call stays.
        if case .string(let since) = result["since"], since < Forwarding.time(began) { return result }
        if case .integer(let number) = id, let forward = UInt32(exactly: number) {
            _ = try await Task.detached { () async throws(FileFailure) in
                try await Forwarding.close(.cancel(forward: forward, localPort: 0, host: "", call: call), context)
            }.value
        }
        return result
    }

    /// The target that the arguments name: a host and a port, or a Unix socket.
    private static func target(_ arguments: Arguments) throws(Arguments.Mistake) -> ForwardTarget {
        func mistake(_ sentence: String) -> Arguments.Mistake { Arguments.Mistake(sentence: "\(name): \(sentence)") }
        let (text, path) = (try arguments.string("remote_host"), try arguments.string("remote_socket"))
        let port = try arguments.integer("remote_port", in: 1...65_535)
        if let path {
            guard text == nil, port == nil else {
                throw mistake(
                    "\"remote_socket\" stands in place of \"remote_host\" and \"remote_port\"; pass it or both of these."
                )
            }
            guard ForwardTarget.isPath(path) else {
                throw mistake(
                    "argument \"remote_socket\" must be the absolute path of a Unix socket on the host, of at most "
                        + "\(ForwardTarget.longestPath) bytes, without \":\", \"\\\", \"%\", \"$\" and control characters, "
                        + "not \"\(path.prefix(200))\".")
            }
            return .unix(path: path)
        }
        guard let text else {
            throw mistake(
                "argument \"remote_host\" is missing; it must be a name or an address, with \"remote_port\". In their place "
                    + "\"remote_socket\" may name a Unix socket.")
        }
        guard let host = ForwardPolicy.target(text) else {
            throw mistake(
                "argument \"remote_host\" must be a host name or an address without port, user or options, "
                    + "not \"\(text.prefix(100))\".")
        }
        guard let port else { throw mistake("argument \"remote_port\" is missing; it must be a port number.") }
        return .tcp(host: host, port: UInt16(port))
    }

    /// Who else reaches a target that was for its account alone.
    private static func exposure(_ target: ForwardTarget, _ host: PolicySnapshot.Host) -> String {
        switch target {
        case .tcp: ""
        case .unix:
            " While it is open, every user of this machine reaches that socket as \(host.master.user) does: cancel it when it is "
                + "not needed any more."
        }
    }

    private static func establish(
        _ host: PolicySnapshot.Host, _ target: ForwardTarget, _ local: UInt16, _ context: ToolContext, _ call: UInt32
    ) async throws(FileFailure) -> JSONObject {
        let answer = try await Forwarding.ask(
            .request(host: host.name, target: target, localPort: local, call: call), context)
        guard case .running(let forward, let port, let since) = answer else {
            throw Forwarding.failure(answer, context)
        }
        let entry = ForwardEntry(forward: forward, host: host.name, localPort: port, target: target, since: since)
        var result = Forwarding.shown(entry)
        let reach = await context.access[host.name]?.sessions.reach()
        for member in Forwarding.status(entry, reach, context).members { result[member.name] = member.value }
        if result["status"] != "dead" {
            result["note"] = .string(
                "127.0.0.1:\(port) is open. Whether \(Forwarding.words(target)) answers is not known before it is used: a connection "
                    + "that closes at once means that nothing answers there, or that the sshd of \"\(host.name)\" forbids it."
                    + exposure(target, host))
        }
        return result
    }
}
