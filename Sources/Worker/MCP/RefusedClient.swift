internal import JSON

/// Makes the answers to a client that is not served.
public enum RefusedClient {
    /// The answer to a line: one line, or a line for each request of a batch; nil if the line is a notification or a response.
    public static func answer(to line: [UInt8], reason: String) -> [UInt8]? {
        let value: JSONValue
        do throws(JSONMistake) {
            value = try JSONReader.read(line)
        } catch {
            let ids = UnreadableLine(line, most: UnreadableLine.maximumBatch).ids
            return lines(ids, ids.isEmpty ? .parseError(error) : .busy(reason))
        }
        if case .array(let elements) = value { return lines(ClientMessage.ids(of: elements), .busy(reason)) }
        switch ClientMessage(value) {
        case .request(let id, _, _): return JSONWriter.bytes(of: Outgoing.error(id, .busy(reason)))
        case .invalid(let id, _): return JSONWriter.bytes(of: Outgoing.error(id, .busy(reason)))
        case .notification, .response: return nil
        }
    }

    /// Whether a line is one request.
    public static func isRequest(_ line: [UInt8]) -> Bool {
        guard let value = JSONValue.parse(line), case .request = ClientMessage(value) else { return false }
        return true
    }

    /// The answer to a line that is too long.
    public static func answer(to line: UnreadableLine, reason: String) -> [UInt8] {
        lines(line.ids, .busy(reason))
    }

    /// One error for each request. The requests of a batch also get a line each, because only `initialize` agrees on batches.
    private static func lines(_ ids: [RequestID], _ error: RPCError) -> [UInt8] {
        let ids = ids.isEmpty ? [nil] : ids.map(Optional.some)
        return Array(
            ids.map { JSONWriter.bytes(of: Outgoing.error($0, error)) }.joined(separator: [UInt8(ascii: "\n")]))
    }
}
