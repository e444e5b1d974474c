/// The state of one connection to a master. It does no I/O: it takes what has come, and returns what must be done.
public struct MasterConversation: Sendable {
    /// What the owner of the connection must do, in order.
    public enum Action: Equatable, Sendable {
        /// Send these bytes.
        case send([UInt8])
        /// Then send the session's three descriptors, each with one zero byte of its own, close them here, and call
        /// `passedDescriptors`.
        case passDescriptors
        /// Report this fact.
        case report(MasterFact)
        /// Close the connection. Nothing follows.
        case close
    }

    /// Whose answer the connection waits for. This decides how long it may wait.
    public enum Waiting: Equatable, Sendable {
        /// The master's own answer, which comes at once or never.
        case forMaster
        /// The host's answer, which comes over a network.
        case forHost
        /// The end of a session, which has no time limit here.
        case forEnd
        /// No answer: nothing is asked, or the connection is over.
        case forNothing
    }

    private enum Phase: Equatable {
        case greeting(then: MasterRequest)
        case idle
        case checking(request: UInt32)
        case passing(request: UInt32)
        case opening(request: UInt32)
        case openingForward(request: UInt32)
        case closingForward(request: UInt32)
        case open(session: UInt32, status: UInt32?)
        case over
    }

    private var phase: Phase
    private var framer = MuxFramer(limit: MuxProtocol.maximumReply)
    private var nextRequest: UInt32 = 1

    /// A new connection, to make this request.
    public init(_ request: MasterRequest) {
        phase = .greeting(then: request)
    }

    /// What must be done first.
    public var opening: [Action] { [.send(MuxRequest.hello.encoded())] }

    /// Whose answer the connection waits for.
    public var waiting: Waiting {
        switch phase {
        case .greeting, .checking, .passing, .openingForward, .closingForward: .forMaster
        case .opening: .forHost
        case .open: .forEnd
        case .idle, .over: .forNothing
        }
    }

    /// Asks the master something more. Returns nil unless the connection waits `forNothing` and is not over.
    public mutating func ask(_ control: ControlRequest) -> [Action]? { ask(.control(control)) }

    /// The same for a session.
    public mutating func ask(_ session: MuxSession) -> [Action]? { ask(.session(session)) }

    private mutating func ask(_ request: MasterRequest) -> [Action]? {
        switch phase {
        case .idle: return start(request)
        case .greeting, .checking, .passing, .opening, .openingForward, .closingForward, .open, .over: return nil
        }
    }

    /// Takes notice that all of the session's descriptors are sent. Before that the master cannot open the session.
    public mutating func passedDescriptors() {
        if case .passing(let request) = phase { phase = .opening(request: request) }
    }

    /// Takes bytes that have come, split in any way.
    public mutating func received(_ bytes: some Collection<UInt8>) -> [Action] {
        guard phase != .over else { return [] }
        var actions: [Action] = []
        do throws(MuxViolation) {
            framer.append(bytes)
            while phase != .over, let message = try framer.next() {
                actions += try take(MuxReply.decode(message[...]))
            }
        } catch {
            actions += fail(.violation(error))
        }
        return actions
    }

    /// Takes notice that the connection has ended: the master closed it if `errno` is 0, else a system call failed with
    /// it.
    public mutating func lost(errno: Int32) -> [Action] {
        guard framer.isEmpty || errno != 0 else { return fail(.violation(.truncated)) }
        switch phase {
        case .over: return []
        case .open(_, let status):
            phase = .over
            return [.report(.sessionEnded(status: status)), .close]
        case .greeting, .idle, .checking, .passing, .opening, .openingForward, .closingForward:
            return fail(.lost(errno: errno))
        }
    }

    /// Takes notice that the time limit has passed. Nothing happens if no answer is waited for.
    public mutating func timedOut() -> [Action] {
        switch phase {
        case .greeting, .checking, .passing, .opening, .openingForward, .closingForward: fail(.silent)
        case .idle, .open, .over: []
        }
    }

    private mutating func start(_ request: MasterRequest) -> [Action] {
        let number = nextRequest
        nextRequest &+= 1
        switch request {
        case .control(.alive):
            phase = .checking(request: number)
            return [.send(MuxRequest.aliveCheck(request: number).encoded())]
        case .control(.openForward(let forward)):
            phase = .openingForward(request: number)
            return [.send(MuxRequest.openForward(request: number, forward).encoded())]
        case .control(.closeForward(let forward)):
            phase = .closingForward(request: number)
            return [.send(MuxRequest.closeForward(request: number, forward).encoded())]
        case .session(let session):
            phase = .passing(request: number)
            return [.send(MuxRequest.newSession(request: number, session).encoded()), .passDescriptors]
        }
    }

    /// Takes a reply that a master may send in this phase. Every other reply ends the connection.
    private mutating func take(_ reply: MuxReply) throws(MuxViolation) -> [Action] {
        switch (phase, reply) {
        case (.greeting(let request), .hello(let version)):
            guard version == MuxProtocol.version else { return fail(.otherVersion(version)) }
            return start(request)
        case (.checking(let request), .alive(let answered, let masterPID)):
            return try answer(request, answered, .alive(masterPID: masterPID))
        case (.openingForward(let request), .ok(let answered)):
            return try answer(request, answered, .forwardOpened)
        case (.closingForward(let request), .ok(let answered)):
            return try answer(request, answered, .forwardClosed)
        case (.opening(let request), .sessionOpened(let answered, let session)):
            guard answered == request else { throw .wrongRequest(answered) }
            phase = .open(session: session, status: nil)
            return [.report(.sessionOpened)]
        case (.passing(let request), .failure(let answered, let reason)),
            (.opening(let request), .failure(let answered, let reason)):
            return try refuseSession(request, answered, MuxRefusal(isDenied: false, reason: reason))
        case (.passing(let request), .permissionDenied(let answered, let reason)),
            (.opening(let request), .permissionDenied(let answered, let reason)):
            return try refuseSession(request, answered, MuxRefusal(isDenied: true, reason: reason))
        case (.checking(let request), .failure(let answered, let reason)),
            (.openingForward(let request), .failure(let answered, let reason)),
            (.closingForward(let request), .failure(let answered, let reason)):
            return try answer(request, answered, .refused(MuxRefusal(isDenied: false, reason: reason)))
        case (.checking(let request), .permissionDenied(let answered, let reason)),
            (.openingForward(let request), .permissionDenied(let answered, let reason)),
            (.closingForward(let request), .permissionDenied(let answered, let reason)):
            return try answer(request, answered, .refused(MuxRefusal(isDenied: true, reason: reason)))
        case (.open(let session, .none), .exitMessage(let named, let status)):
            guard named == session else { throw .wrongSession(named) }
            phase = .open(session: session, status: status)
            return [.report(.sessionExited(status: status))]
        case (_, .hello), (_, .ok), (_, .permissionDenied), (_, .failure), (_, .exitMessage), (_, .alive),
            (_, .sessionOpened), (_, .remotePort), (_, .ttyAllocFail), (_, .extendedInfo):
            throw .outOfTurn(reply.type)
        }
    }

    private mutating func answer(_ request: UInt32, _ answered: UInt32, _ fact: MasterFact) throws(MuxViolation)
        -> [Action]
    {
        guard answered == request else { throw .wrongRequest(answered) }
        phase = .idle
        return [.report(fact)]
    }

    /// Takes the refusal of a session. The master closes the connection after it.
    private mutating func refuseSession(_ request: UInt32, _ answered: UInt32, _ refusal: MuxRefusal)
        throws(MuxViolation) -> [Action]
    {
        guard answered == request else { throw .wrongRequest(answered) }
        phase = .over
        return [.report(.refused(refusal)), .close]
    }

    private mutating func fail(_ failure: MasterFailure) -> [Action] {
        let outcome: Outcome
        switch phase {
        case .over: return []
        case .greeting, .idle, .passing: outcome = .nothingAsked
        case .checking, .opening, .openingForward, .closingForward, .open: outcome = .unknown
        }
        phase = .over
        return [.report(.failed(failure, outcome)), .close]
    }
}
