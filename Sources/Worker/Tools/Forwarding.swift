internal import FoundationEssentials
internal import IPC
internal import JSON
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

    /// What is known of a forward that the supervisor has looked at. It runs where its listener is there and the host behind
    /// its master has answered as well.
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
        case .masterDown(let why):
            if entry.trouble == nil { status["reason"] = "its ControlMaster does not answer" }
            status["hint"] = host.map { .string(Failures.masterDown($0, why)) }
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
