/// The state of one connection of a worker's `ssh`, to which the gate is the master. It does no I/O: it takes what has come, and
/// returns what must be done. What no `ssh` sends that opens a session ends the connection as a violation.
public struct SSHConversation: Sendable {
    /// What the owner of the connection must do, in order.
    public enum Action: Equatable, Sendable {
        /// Send this reply.
        case send(MuxReply)
        /// The session is asked for, and its three descriptors have come.
        case open(MuxSession)
        /// Close the connection: this `ssh` speaks another version of the protocol, and leaves as well.
        case leave
    }

    private enum Phase: Equatable {
        case greeting
        case idle
        /// The session's descriptors come, each with a byte of its own.
        case passing(MuxSession, taken: Int)
        /// The session is asked for, or open. Nothing more may come.
        case asked
    }

    /// How often a connection may ask whether the master lives. `ssh` asks once.
    static let maximumChecks = 8
    /// Bytes that are read at most at once: a length alone takes no memory.
    private static let chunk = 64 * 1024

    private let processID: UInt32
    private var phase = Phase.greeting
    private var framer = MuxFramer(limit: MuxProtocol.maximumRequest)
    private var checks = 0
    private var request: UInt32 = 0

    /// - Parameter processID: what stands for the master's process id.
    public init(processID: UInt32) {
        self.processID = processID
    }

    /// How many bytes may be read next: never more than belong to the message that comes, because a byte that carries a
    /// descriptor must be read alone.
    public var wanted: Int {
        switch phase {
        case .greeting, .idle: min(framer.wanted, Self.chunk)
        case .passing, .asked: 1
        }
    }

    /// Whether the session was asked for.
    public var hasAsked: Bool { phase == .asked }

    /// Takes bytes that have come, at most `wanted`, with so many descriptors.
    public mutating func received(_ bytes: some Collection<UInt8>, descriptors: Int) throws(MuxViolation) -> [Action] {
        switch phase {
        case .greeting, .idle:
            guard descriptors == 0 else { throw .badValue("descriptor") }
            framer.append(bytes)
            var actions: [Action] = []
            while let message = try framer.next() { actions += try take(SSHRequest.decode(message[...])) }
            return actions
        case .passing(let session, let taken):
            guard descriptors == 1, bytes.elementsEqual([0]) else { throw .badValue("descriptor") }
            guard taken == 2 else {
                phase = .passing(session, taken: taken + 1)
                return []
            }
            phase = .asked
            return [.open(session)]
        case .asked: throw .badValue("message")
        }
    }

    /// What to answer when the host has opened the session.
    public func opened(session: UInt32) -> MuxReply { .sessionOpened(request: request, session: session) }

    /// What to answer when it was not opened.
    public func refused(_ reason: String) -> MuxReply { .failure(request: request, reason: reason) }

    private mutating func take(_ message: SSHRequest) throws(MuxViolation) -> [Action] {
        switch (phase, message) {
        case (.greeting, .hello(let version)):
            phase = version == MuxProtocol.version ? .idle : .asked
            guard phase == .idle else { return [.send(.hello(version: MuxProtocol.version)), .leave] }
            return [.send(.hello(version: MuxProtocol.version))]
        case (.idle, .aliveCheck(let number)):
            checks += 1
            guard checks <= Self.maximumChecks else { throw .badValue("alive check") }
            return [.send(.alive(request: number, masterPID: processID))]
        case (.idle, .newSession(let number, let session)):
            request = number
            phase = .passing(session, taken: 0)
            return []
        case (.greeting, .aliveCheck), (.greeting, .newSession), (.idle, .hello), (.passing, _), (.asked, _):
            throw .badValue("message")
        }
    }
}
