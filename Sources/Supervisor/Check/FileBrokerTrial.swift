internal import CLinux
internal import Glibc
internal import IPC

/// Starts a file broker, which looks at the places of its policy and confines itself, as for a first transfer.
enum FileBrokerTrial {
    static func lines(_ config: Config, at path: String, environment: [String: String]) -> [String] {
        guard let places = try? Startup.fileBrokerPlaces() else { return [] }
        if let problem = Startup.fileBrokerProblem(config) { return [ConfigCheck.line(.warning, problem)] }
        guard let program = places.first(where: { access($0, X_OK) == 0 }) else { return [] }
        func warning(_ sentence: String) -> [String] {
            [ConfigCheck.line(.warning, program, "transfers do not work: \(sentence)")]
        }
        let policy = config.filePolicy(
            at: path, socket: config.mcpSocket, auditLog: config.auditLog, environment: environment,
            programs: places)
        let broker: FileBrokerProcess
        do {
            broker = try FileBrokerProcess.start(program: program, policy: try policy.sealed()) { _ in }
        } catch let failure as ProgramFailure {
            return warning(
                "\(failure.clause(.fileBroker)); \(ProgramMend.of(failure, program: program, said: "file broker said"))"
            )
        } catch {
            return warning("\(error)")
        }
        defer { broker.kill() }
        return readiness(of: broker, policy).map { warning($0(program)) } ?? []
    }

    /// Waits until the broker is ready.
    /// - Returns: what went wrong, for its program; nil if nothing did.
    private static func readiness(of broker: FileBrokerProcess, _ policy: FilePolicy) -> ((String) -> String)? {
        let deadline = Clock.milliseconds() + PatternCheck.bound
        var looking: String?
        while let channel = broker.channelDescriptor {
            let left = deadline - Clock.milliseconds()
            var waiting = pollfd(fd: channel, events: Int16(POLLIN), revents: 0)
            guard left > 0, uninterrupted({ poll(&waiting, 1, Int32(left)) }) >= 0 else {
                let place = looking
                return { program in
                    place.map { "the file system of \($0) does not answer; name another place, or mend the mount" }
                        ?? ProgramTrial.late(program)
                }
            }
            guard waiting.revents != 0 else { continue }
            do throws(IPCError) {
                guard let (message, _) = try broker.receive() else { continue }
                switch message {
                case .looking(let place): looking = policy.place(place)
                case .ready: return nil
                case .done, .refused, .rootChanged, .undelivered: throw .badValue
                }
            } catch {
                break
            }
        }
        broker.end()
        var process = pollfd(fd: broker.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        _ = uninterrupted { poll(&process, 1, Int32(max(0, deadline - Clock.milliseconds()))) }
        let end = broker.reap()
        let said = broker.readLog().joined(separator: " ")
        return { program in
            end.map { ProgramTrial.sentence($0, program, said: said) }
                ?? "it sent what is no message; install all programs of one build"
        }
    }
}
