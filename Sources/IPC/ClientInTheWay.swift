/// The client that has the place, as another one is told of it.
public struct ClientInTheWay: Equatable, Sendable {
    /// The process that connected, as the kernel names it. If socat is the bridge, it is socat.
    public private(set) var pid: UInt32
    /// The absolute path of its program; empty if it is not known.
    public private(set) var program: String
    /// What it calls itself: its own word, any text; empty if it has not said.
    public private(set) var name: String
    /// How long it has been connected.
    public private(set) var seconds: UInt32

    /// Bytes of a program's path.
    private static let maximumProgram = 512

    /// A client. Texts that are too long are cut when they are sent.
    public init(pid: UInt32 = 0, program: String = "", name: String = "", seconds: UInt32 = 0) {
        self.pid = pid
        self.program = program
        self.name = name
        self.seconds = seconds
    }

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&pid)
        try fields.field(&program, limit: Self.maximumProgram)
        try fields.field(&name, limit: ToSupervisor.Life.maximumName)
        try fields.field(&seconds)
    }
}
