/// Takes the wanted lines out of a stream, and counts their line feeds.
struct LineWindow {
    private var skip: Int
    private let count: Int
    private let limit: Int
    private(set) var bytes: [UInt8] = []
    private(set) var offset: UInt64 = 0
    private(set) var isCut = false
    private var feeds = 0

    init(skip: Int, count: Int, limit: Int) {
        self.skip = skip
        self.count = count
        self.limit = limit
    }

    var isDone: Bool { isCut || (skip == 0 && feeds >= count) }

    /// How many lines `bytes` has. A last one without a line feed counts.
    var lines: Int { feeds + (bytes.isEmpty || bytes.last == 0x0A ? 0 : 1) }

    mutating func append(_ data: ArraySlice<UInt8>) {
        var rest = data
        if skip > 0 {
            let (end, found) = LineFeeds.end(of: skip, in: rest)
            skip -= found
            offset += UInt64(end - rest.startIndex)
            guard skip == 0 else { return }
            rest = rest[end...]
        }
        let (end, found) = LineFeeds.end(of: count - feeds, in: rest)
        let room = limit - bytes.count
        guard end - rest.startIndex > room else {
            bytes += rest[..<end]
            feeds += found
            return
        }
        bytes += rest.prefix(room)
        feeds += LineFeeds.end(of: .max, in: rest.prefix(room)).found
        isCut = true
    }
}
