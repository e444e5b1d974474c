extension SFTPClient {
    /// How many bytes the server takes in a READ and a WRITE, limits@openssh.com. Before the server tells this, it is
    /// the draft's minimum.
    struct Limits: Equatable, Sendable {
        var readLength = 32_768
        var writeLength = 32_768

        /// The most bytes of data in one of OpenSSH's packets.
        static let longest = 255 * 1024
    }
}

extension SFTPClient.Limits {
    /// Reads the reply to limits@openssh.com; nil if it is too short.
    init?(_ reply: ArraySlice<UInt8>) {
        var reader = WireReader(reply)
        guard let packet = try? reader.number64(), let read = try? reader.number64(), let write = try? reader.number64()
        else { return nil }
        /// The length to use: at least the draft's minimum, also if the server tells 0 or less than that.
        func length(_ told: UInt64) -> Int {
            let room = packet == 0 ? Self.longest : Int(clamping: packet) - 1024
            return max(32_768, min(Int(clamping: told), room, Self.longest))
        }
        self.init(readLength: length(read), writeLength: length(write))
    }
}
