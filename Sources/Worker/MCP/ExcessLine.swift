/// A line that is too long. Only the ids of its requests are kept.
struct ExcessLine {
    /// How many of its bytes are read. A line may have no end.
    static let most = 64 << 20

    private var line = UnreadableLine(most: UnreadableLine.maximumBatch)
    private var left = most
    /// Whether its end has come, or enough of it was read.
    private(set) var isOver = false

    /// Its ids, judged as if nothing more came.
    var end: UnreadableLine {
        var line = line
        line.finish()
        return line
    }

    mutating func take(_ part: ArraySlice<UInt8>) {
        guard !isOver else { return }
        let end = part.firstIndex(of: UInt8(ascii: "\n"))
        let own = part[..<(end ?? part.endIndex)]
        line.take(own)
        left -= own.count
        isOver = end != nil || left <= 0
    }
}
