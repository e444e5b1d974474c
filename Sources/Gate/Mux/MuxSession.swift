/// A session as the gate opens it: a command or a subsystem, without a terminal, X11, an agent or an environment.
public struct MuxSession: Equatable, Sendable {
    /// Bytes of the longest command. A host that runs Linux passes no longer one to a shell (MAX_ARG_STRLEN,
    /// execve(2)), and sshd would answer it with an exit status that no command gave.
    public static let maximumCommand = 128 * 1024 - 1

    /// The command line, or the subsystem's name.
    public let command: String
    /// Whether `command` names a subsystem of the host's sshd.
    public let isSubsystem: Bool

    /// A session; nil if the command is too long, contains a zero byte, or is empty, which would mean a login shell.
    public init?(command: String, isSubsystem: Bool = false) {
        guard (1...Self.maximumCommand).contains(command.utf8.count), !command.utf8.contains(0) else { return nil }
        self.command = command
        self.isSubsystem = isSubsystem
    }

    /// Writes the fields of NEW_SESSION that follow the request id.
    func write(to writer: inout MuxWriter) {
        writer.put("")  // reserved
        writer.put(false)  // terminal
        writer.put(false)  // X11
        writer.put(false)  // agent
        writer.put(isSubsystem)
        writer.put(MuxProtocol.noEscape)
        writer.put("")  // TERM
        writer.put(command)
    }

    /// Reads the same fields from a client. Throws if it asks for anything that this type does not have.
    init(from reader: inout MuxReader) throws(MuxViolation) {
        _ = try reader.takeBytes()
        guard try !reader.takeFlag("terminal") else { throw .badValue("terminal") }
        guard try !reader.takeFlag("X11") else { throw .badValue("X11") }
        guard try !reader.takeFlag("agent") else { throw .badValue("agent") }
        let isSubsystem = try reader.takeFlag("subsystem")
        guard try reader.takeNumber() == MuxProtocol.noEscape else { throw .badValue("escape character") }
        // TERM means nothing without a terminal.
        _ = try reader.takeBytes()
        guard let session = MuxSession(command: try reader.takeText(), isSubsystem: isSubsystem) else {
            throw .badValue("command")
        }
        guard reader.isAtEnd else { throw .badValue("environment") }
        self = session
    }
}
