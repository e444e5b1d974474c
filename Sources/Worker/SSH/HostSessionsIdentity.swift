public import IPC
internal import Synchronization

/// What is known of who is logged in behind one ControlMaster.
final class IdentityMemory: Sendable {
    /// A question that is under way or answered.
    final class Question: Sendable {
        /// The process of the master that it was asked over.
        let processID: UInt32
        let since = ContinuousClock.now
        /// Filled when the host has opened its session, or it is over.
        let isTaken: Task<Void, Never>
        let answer: Task<HostIdentification, Never>

        init(
            _ processID: UInt32,
            _ ask: @escaping @Sendable (_ taken: @escaping @Sendable () -> Void) async -> HostIdentification
        ) {
            self.processID = processID
            let taken = AsyncStream.makeStream(of: Void.self)
            isTaken = Task { for await _ in taken.stream { break } }
            answer = Task {
                defer { taken.continuation.finish() }
                return await ask { taken.continuation.finish() }
            }
        }
    }

    /// How long an answer that tells nothing is kept.
    private static let memory = Duration.seconds(60)

    private let state = Mutex<(question: Question?, known: HostIdentification?)>((nil, nil))

    /// The question over the master of this process, asked with `ask` where it was not yet.
    func question(
        _ processID: UInt32,
        _ ask: @escaping @Sendable (_ taken: @escaping @Sendable () -> Void) async -> HostIdentification
    ) -> Question {
        state.withLock { state in
            if let question = state.question, question.processID == processID {
                switch state.known {
                case .none, .known: return question
                case .noShell, .late, .notAsked:
                    if .now - question.since < Self.memory, state.known != .notAsked { return question }
                }
            }
            let question = Question(processID, ask)
            state = (question, nil)
            return question
        }
    }

    /// Takes notice of the answer.
    func answered(_ processID: UInt32, _ answer: HostIdentification) {
        state.withLock { if $0.question?.processID == processID { $0.known = answer } }
    }

    /// What was answered over the master of this process; nil before.
    func known(_ processID: UInt32) -> HostIdentification? {
        state.withLock { $0.question?.processID == processID ? $0.known : nil }
    }
}

/// The question whether a ControlMaster is logged in as the user of the config.
public struct UserQuestion: Sendable {
    private let question: IdentityMemory.Question
    private let user: String

    init(_ question: IdentityMemory.Question, user: String) {
        self.question = question
        self.user = user
    }

    /// Who is logged in there instead; nil where it is that user, or nobody can tell.
    public func otherUser() async -> HostIdentity? {
        guard case .known(let identity) = await question.answer.value, !identity.isUser(user) else { return nil }
        return identity
    }
}

extension HostSessions {
    /// How long the host may take to say who is there. What comes later changes nothing.
    public static let identityPatience = Duration.seconds(3)

    /// Asks who is logged in there, and returns when the host has taken the question.
    /// - Returns: nil where no ControlMaster answers.
    public func askIdentity() async -> UserQuestion? {
        guard let question = await identityQuestion() else { return nil }
        await question.isTaken.value
        return UserQuestion(question, user: host.master.user)
    }

    /// Who is logged in there where that is somebody else than the config says.
    public func otherUser() async -> HostIdentity? { await askIdentity()?.otherUser() }

    /// Who is logged in there. A ControlMaster is asked once.
    public func identity() async -> HostIdentification { await identity(seen: await masterState()) }

    /// The same.
    /// - Parameter state: what was just seen of the master, which is not asked again.
    public func identity(seen state: MasterState) async -> HostIdentification {
        guard let question = identityQuestion(seen: state) else { return .notAsked }
        return await question.answer.value
    }

    /// Asks who is logged in there, unless that is known or being asked.
    /// - Returns: nil where no ControlMaster answers.
    func identityQuestion() async -> IdentityMemory.Question? { identityQuestion(seen: await masterState()) }

    private func identityQuestion(seen state: MasterState) -> IdentityMemory.Question? {
        guard case .alive(let processID) = state, let there = try? met(state) else { return nil }
        return there.master.identity.question(processID) { taken in
            let answer = await there.askIdentity(taken)
            there.master.identity.answered(processID, answer)
            return answer
        }
    }

    private func askIdentity(_ taken: @escaping @Sendable () -> Void) async -> HostIdentification {
        let nonce = Nonce.make(marked: gate.mark)
        let answer: ErrandResult
        do throws(IPCError) {
            answer = try await run(.identity(nonce: nonce), within: Self.identityPatience, opened: taken)
        } catch {
            return .notAsked
        }
        if let identity = HostIdentity(answer.stdout, nonce: nonce) {
            if identity.takesOneAtATime { await budget.takesOneAtATime() }
            return .known(identity)
        }
        let said = CommandStreams.trimmed("\(answer.stderr)\n\(answer.stdout)")
        if answer.isLate {
            await leave(nonce)
            return .late(said: said)
        }
        return switch answer.end {
        case .notOpened: .notAsked
        case .exited(let status): .noShell(said: said, status: status)
        case .ended: await masterState().isAlive ? .noShell(said: said, status: nil) : .notAsked
        }
    }
}
