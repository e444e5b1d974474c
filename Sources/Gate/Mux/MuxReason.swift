/// Bounds texts for people.
enum MuxReason {
    /// The text before the first zero byte, at most `MuxProtocol.maximumReason` bytes of it. Bytes that are not UTF-8
    /// are replaced.
    static func bounded(_ bytes: some Sequence<UInt8>) -> String {
        let kept = bytes.prefix { $0 != 0 }.prefix(MuxProtocol.maximumReason)
        var text = String(decoding: kept, as: UTF8.self)
        // A replacement character can be longer than the bytes that it replaces.
        while text.utf8.count > MuxProtocol.maximumReason { text.unicodeScalars.removeLast() }
        return text
    }
}
