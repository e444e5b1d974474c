internal import FoundationEssentials
internal import IPC
internal import JSON
internal import SSH

/// The part that the three tools on port forwards share.
enum Forwarding {
    static func shown(_ entry: ForwardEntry) -> JSONObject {
        var shown: JSONObject = [
            "forward_id": .integer(Int64(entry.forward)), "host": .string(entry.host),
            "local_port": .integer(Int64(entry.localPort)),
        ]
        switch entry.target {
        case .tcp(let host, let port):
            shown["remote_host"] = .string(host)
            shown["remote_port"] = .integer(Int64(port))
        case .unix(let path): shown["remote_socket"] = .string(path)
        }
        shown["since"] = .string(time(entry.since))
        return shown
    }

    /// A target in the words of results and errors.
    static func words(_ target: ForwardTarget) -> String {
        switch target {
        case .tcp(let host, let port): "\(host) port \(port)"
        case .unix(let path): "the Unix socket \(path)"
        }
    }

    /// Describes a forward that the supervisor has looked at. It runs if its listener is there and its host has answered.
    /// - Parameter reach: what was seen of its host; nil if the config does not have that host.
    static func status(_ entry: ForwardEntry, _ reach: HostSessions.Reach?, _ context: ToolContext) -> JSONObject {
        let host = context.policy.hosts.first { $0.name == entry.host }
        var status: JSONObject = ["status": "dead", "reason": .string(entry.reason ?? "")]
        switch reach {
        case .answers:
            guard entry.trouble != nil else { return ["status": "running"] }
            status["hint"] = .string(
                "Call ssh_forward_port with the same target to have it again, on the same local port "
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
            if entry.trouble == nil {
                if !why.isSeen { status["status"] = "unknown" }
                status["reason"] = .string(
                    why.isSeen ? "its ControlMaster does not answer" : "its ControlMaster could not be asked")
            }
            status["hint"] = host.map { .string(Failures.masterDown($0, why)) }
        case nil:
            guard entry.trouble == nil else { break }
            status["status"] = "unknown"
            status["reason"] = "the config does not name its host any more, so its ControlMaster cannot be asked"
        }
        return status
    }

    static func time(_ seconds: UInt64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    /// Has a forward closed.
    static func close(
        _ request: ToSupervisor.Forwards, _ context: ToolContext
    ) async throws(FileFailure) -> ForwardEntry {
        let answer = try await ask(request, context)
        guard case .closed(let entry) = answer else { throw failure(answer, context) }
        return entry
    }

    /// Sends the supervisor a message about a forward, and waits for the answer.
    static func ask(
        _ word: ToSupervisor.Forwards, _ context: ToolContext
    ) async throws(FileFailure) -> ToWorker.Forwards {
        do throws(IPCError) {
            return try await context.broker.ask(word)
        } catch {
            throw FileFailure(sentence: "The supervisor does not answer (\(error)).")
        }
    }

    static func failure(_ answer: ToWorker.Forwards, _ context: ToolContext) -> FileFailure {
        guard case .refused(let refusal) = answer else {
            return FileFailure(sentence: "The supervisor gave no proper answer.")
        }
        // What there is to do about a master is said in one place.
        if case .masterDown(let name, let why) = refusal,
            let host = context.policy.hosts.first(where: { $0.name == name })
        {
            return FileFailure(sentence: Failures.masterDown(host, why, outcome: "No forward was opened."))
        }
        return FileFailure(sentence: refusal.sentence)
    }
}
