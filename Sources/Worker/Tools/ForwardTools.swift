internal import FoundationEssentials
internal import IPC
internal import JSON
internal import MCP
internal import Policy
internal import SSH

/// What the three tools on port forwards share.
enum Forwarding {
    static func shown(_ entry: ForwardEntry) -> JSONObject {
        [
            "forward_id": .integer(Int64(entry.forward)), "host": .string(entry.host),
            "local_port": .integer(Int64(entry.localPort)), "remote_host": .string(entry.remoteHost),
            "remote_port": .integer(Int64(entry.remotePort)), "since": .string(time(entry.since)),
        ]
    }

    /// What is known of a forward that the supervisor has looked at. Its listener is only one half of it: it runs where the
    /// host behind its master has answered as well.
    /// - Parameter reach: of its host; nil where the config has no such host.
    static func status(_ entry: ForwardEntry, _ reach: HostSessions.Reach?, _ context: ToolContext) -> JSONObject {
        let host = context.policy.hosts.first { $0.name == entry.host }
        var status: JSONObject = ["status": "dead", "reason": .string(entry.reason ?? "")]
        switch reach {
        case .answers:
            guard entry.trouble != nil else { return ["status": "running"] }
            status["hint"] = .string(
                "Call ssh_forward_port with the same remote_host and remote_port to have it again, on the same local port "
                    + "if that is free; or ssh_cancel_forward to forget it.")
        case .silent:
            if entry.trouble == nil {
                status["status"] = "unknown"
                status["reason"] = .string(
                    "its port is open, and the host behind its ControlMaster did not answer within "
                        + "\(HostSessions.patience.components.seconds) s")
            }
            status["hint"] = host.map { .string(Failures.hostSilent($0)) }
        case .masterDead(let detail):
            if entry.trouble == nil { status["reason"] = "its ControlMaster does not answer" }
            status["hint"] = host.map { .string(Failures.masterDead($0, detail: detail)) }
        case .unusable(let detail):
            if entry.trouble == nil {
                status["status"] = "unknown"
                status["reason"] = "ssh cannot run here, so its ControlMaster was not asked"
            }
            status["hint"] = .string(Failures.spawn(detail: detail))
        case nil:
            if entry.trouble == nil { status["reason"] = "its ControlMaster does not answer" }
        }
        return status
    }

    static func time(_ seconds: UInt64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    /// Has the master cancel a forward, as often as the supervisor says that it is still there.
    static func close(
        _ request: ToSupervisor.Forwards, _ context: ToolContext
    ) async throws(FileFailure) -> ForwardEntry {
        var answer = try await ask(request, context)
        while case .close(let forward, let route) = answer {
            let said = await PortForward.close(route, sshPath: context.policy.sshPath, within: .seconds(5))
            answer = try await ask(.cancelled(forward: forward, said: said), context)
        }
        guard case .closed(let entry) = answer else { throw failure(answer) }
        return entry
    }

    /// Says something of a forward to the supervisor, and waits for its answer.
    static func ask(
        _ word: ToSupervisor.Forwards, _ context: ToolContext
    ) async throws(FileFailure) -> ToWorker.Forwards {
        do throws(IPCError) {
            return try await context.broker.ask(word)
        } catch {
            throw FileFailure(sentence: "The supervisor does not answer (\(error)).")
        }
    }

    static func failure(_ answer: ToWorker.Forwards) -> FileFailure {
        if case .refused(let refusal) = answer { return FileFailure(sentence: refusal.sentence) }
        return FileFailure(sentence: "The supervisor gave no proper answer.")
    }
}

/// `ssh_forward_port`: a port of this machine that leads to one behind a host.
enum ForwardPortTool: Tool {
    static let name = "ssh_forward_port"

    static let needs: [Capability] = [.portForward]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        ToolDescription(
            name: name, title: "Forward a port",
            description:
                "Opens a port on this machine's 127.0.0.1 that leads through the host to remote_host:remote_port. "
                + "It stays open until it is cancelled or the daemon ends.",
            inputSchema: Schema.object(
                [
                    "remote_host": Schema.string("Name or address"), "remote_port": Schema.integer(),
                    "local_port": Schema.integer("Omit to have a free one chosen"), "host": Schema.host(),
                ], required: ["remote_host", "remote_port"]),
            outputSchema: Schema.result(
                ["local_port": Schema.integer(), "forward_id": Schema.integer(), "note": Schema.string()]),
            readOnly: false, destructive: true, idempotent: false)
    }

    static func call(_ values: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result { try await forward(values, context) }
    }

    private static func forward(_ values: JSONObject, _ context: ToolContext) async throws -> JSONObject {
        let arguments = try Arguments(values, tool: name, known: ["remote_host", "remote_port", "local_port", "host"])
        let text = try arguments.requiredString("remote_host")
        guard let target = ForwardPolicy.target(text) else {
            throw Arguments.Mistake(
                sentence:
                    "\(name): argument \"remote_host\" must be a host name or an address without port, user or options, "
                    + "not \"\(text.prefix(100))\".")
        }
        guard let remote = try arguments.integer("remote_port", in: 1...65_535) else {
            throw Arguments.Mistake(sentence: "\(name): argument \"remote_port\" is missing; it must be a port number.")
        }
        let local = try arguments.integer("local_port", in: 1...65_535) ?? 0
        let host = try context.host(try arguments.string("host"))
        guard host.capabilities.portForward else { throw Refusal(host: host.name, capability: "port_forward") }
        try ForwardPolicy(host.forwardAllowlist, host: host.name).judge(target: target, port: UInt16(remote))
        // Detached: a call that is cancelled must not leave the port half made.
        let result = try await Task.detached { () async throws(FileFailure) in
            try await establish(host, target, UInt16(remote), UInt16(local), context)
        }.value
        guard Task.isCancelled, let id = result["forward_id"] else { return result }
        // Nobody will read of it.
        if case .integer(let number) = id, let forward = UInt32(exactly: number) {
            _ = try await Task.detached { () async throws(FileFailure) in
                try await Forwarding.close(.cancel(forward: forward, localPort: 0, host: ""), context)
            }.value
        }
        return result
    }

    private static func establish(
        _ host: PolicySnapshot.Host, _ target: String, _ remote: UInt16, _ local: UInt16, _ context: ToolContext
    ) async throws(FileFailure) -> JSONObject {
        switch await context.access[host.name]?.sessions.greet() {
        case .dead(let detail):
            throw FileFailure(
                sentence: Failures.masterDead(host, detail: detail, outcome: "No forward was opened."))
        case .unusable(let detail): throw FileFailure(sentence: Failures.spawn(detail: detail))
        case .alive, .none: break
        }
        var answer = try await Forwarding.ask(
            .request(host: host.name, remoteHost: target, remotePort: remote, localPort: local), context)
        var because: String?
        while case .assigned(let forward, let port) = answer {
            let route = ForwardRoute(
                master: host.master, localPort: port, remoteHost: target, remotePort: remote)
            let report: ToSupervisor.Forwards
            switch await PortForward.open(route, sshPath: context.policy.sshPath) {
            case .listening(let master): report = .established(forward: forward, masterPID: master)
            case .refused: report = .failed(forward: forward, .refused)
            case .unknown: report = .failed(forward: forward, .unknown)
            case .masterDead(let detail):
                report = .failed(forward: forward, .masterDead)
                because = Failures.masterDead(host, detail: detail)
            case .unusable(let detail):
                report = .failed(forward: forward, .masterDead)
                because = Failures.spawn(detail: detail)
            }
            answer = try await Forwarding.ask(report, context)
        }
        guard case .running(let forward, let port, let since) = answer else {
            throw because.map { FileFailure(sentence: $0) } ?? Forwarding.failure(answer)
        }
        let entry = ForwardEntry(
            forward: forward, host: host.name, localPort: port, remoteHost: target, remotePort: remote, since: since)
        var result = Forwarding.shown(entry)
        let reach = await context.access[host.name]?.sessions.reach()
        for member in Forwarding.status(entry, reach, context).members { result[member.name] = member.value }
        if result["status"] != "dead" {
            result["note"] = .string(
                "127.0.0.1:\(port) is open. Whether \(target):\(remote) answers is not known before it is used: a connection "
                    + "that closes at once means that nothing answers there, or that the sshd of \"\(host.name)\" forbids it."
            )
        }
        return result
    }
}

/// `ssh_list_forwards`: which forwards there are, and which of them work as far as can be seen from here.
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
            guard case .list(let all) = answer else { throw Forwarding.failure(answer) }
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

    /// Asks all hosts at once: there are no more of them than forwards. Those of one ControlMaster share the question.
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
            let request = ToSupervisor.Forwards.cancel(forward: UInt32(id), localPort: UInt16(port), host: host)
            // Detached: what is begun is ended, and the supervisor hears of it.
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
