internal import IPC
internal import JSON
internal import MCP
internal import Guard

/// What a call works with: the policy as it was when the call began, the ways to the hosts, and to local files.
struct ToolContext: Sendable {
    let policy: PolicySnapshot
    let access: [String: HostAccess]
    let broker: any LocalFileBroker & ForwardBroker
    /// What all that go through one ControlMaster share.
    var masters = MasterTable()
    /// Searches what comes from hosts; nil where the config turns that off.
    let guardian: InjectionGuard?
    /// Where the call says how far it has come.
    var progress = Progress.none
    /// Where the call notes what the audit log will say of it.
    var notes = CallNotes()

    /// Asks the supervisor for a local file.
    func ask(_ request: ToSupervisor.Files) async throws(FileFailure) -> LocalAnswer {
        let answer = await broker.ask(request)
        if case .refused(let sentence, let rule) = answer { throw FileFailure(sentence: sentence, rule: rule) }
        return answer
    }

    /// Does a call's work. Whatever goes wrong becomes a sentence here, and a refusal's rule a note for the audit.
    func result(of work: () async throws -> JSONObject) async -> ToolResult {
        do {
            return .success(try await work())
        } catch let mistake as Arguments.Mistake {
            notes.refused(by: mistake.rule)
            return .failure(mistake.sentence)
        } catch let refusal as GateRefusal {
            notes.refused(by: refusal.rule)
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

    /// Hosts named one by one in a sentence; more are only counted.
    private static let namedHosts = 20

    /// The host that the argument `host` names, or the default.
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
