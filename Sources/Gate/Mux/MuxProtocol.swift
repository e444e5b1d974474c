/// The numbers of OpenSSH's mux protocol, version 4, from PROTOCOL.mux, and from mux.c where that says more.
public enum MuxProtocol {
    /// The version in HELLO, unchanged since OpenSSH 5.4 (2010).
    public static let version: UInt32 = 4
    /// Bytes of the longest request without its length: a master closes a connection that claims more.
    public static let maximumRequest = 256 * 1024
    /// Bytes of the longest reply without its length. OpenSSH's masters send less than 1 KiB; the rest is room for
    /// extensions in a HELLO.
    public static let maximumReply = 16 * 1024
    /// Bytes of the longest reason that is kept or sent.
    public static let maximumReason = 500

    /// The forwarding type of a local forward.
    static let localForward: UInt32 = 1
    /// Stands for the port if the host before it is the path of a Unix socket.
    static let socketPort = UInt32.max - 1
    /// The escape character of a session that has none.
    static let noEscape = UInt32.max
}
