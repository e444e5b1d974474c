internal import IPC
internal import JSON
internal import MCP
internal import Guard

/// All that a call works with: the policy of the time when it began, and the ways to hosts and local files.
struct ToolContext: Sendable {
    let policy: PolicySnapshot
    let access: [String: HostAccess]
    let broker: any LocalFileBroker & ForwardBroker
    /// What is known of each ControlMaster.
    var masters = MasterTable()
    /// Searches the text of hosts for injections; nil if the config switches that off.
    let guardian: InjectionGuard?
    /// Takes reports on how far the call has come.
    var progress = Progress.none
    /// What was asked before it was written down that the call begins.
    var ahead = MasterStates()
    /// Takes notes for the record of the call in the audit log.
    var notes = CallNotes()

    /// Sends the supervisor a request for a local file.
    func ask(_ request: ToSupervisor.Files) async throws(FileFailure) -> LocalAnswer {
        let answer = await broker.ask(request)
        if case .refused(let sentence, let rule) = answer { throw FileFailure(sentence: sentence, rule: rule) }
        return answer
    }

    /// Does the work of a call. An error becomes a sentence, and the rule of a refusal a note for the audit log.
    func result(of work: () async throws -> JSONObject) async -> ToolResult {
        do {
            return .success(try await work())
        } catch let mistake as Arguments.Mistake {
            notes.refused(by: mistake.rule)
            return .failure(mistake.sentence)
        } catch let refusal as GateRefusal {
            notes.refused(by: refusal.rule.name)
            return .failure(refusal.sentence)
        } catch let failure as FileFailure {
            notes.refused(by: failure.rule)
            return .failure(failure.sentence)
        } catch is CancellationError {
            return .failure("The call was cancelled.")
        } catch {
            return .failure(
                "The call failed for a reason that this program has no words for. Ask the user to report it.")
        }
    }

    /// How many hosts are named in a sentence. The others are only counted.
    private static let namedHosts = 20

    /// The host that the argument `host` names; the default host if there is no such argument.
    func host(_ name: String?) throws(Arguments.Mistake) -> PolicySnapshot.Host {
        let wanted = name ?? policy.defaultHost
        guard let host = policy.hosts.first(where: { $0.name.hasBytes(of: wanted) }) else {
            let names = policy.hosts.prefix(Self.namedHosts).map { "\"\($0.name)\"" }.joined(separator: ", ")
            let more = policy.hosts.count > Self.namedHosts ? ", and \(policy.hosts.count - Self.namedHosts) more" : ""
            throw Arguments.Mistake(
                sentence: "There is no host \"\(wanted.bounded)\". The configured hosts are: \(names)\(more). "
                    + "Name one of them, or ask the user to add this one under \"hosts\" in the config.",
                rule: "host")
        }
        return host
    }
}
