internal import JSON

/// The way back for a request in a line of its own.
struct SingleReply: Reply {
    let writer: any LineWriter

    func now(_ message: JSONValue) { writer.write(JSONWriter.bytes(of: message)) }
    func later(_ message: JSONValue) async { await writer.writeLater(message) }
    func nothing() {}
    func nothingNow() {}
}
