/// A packet that is not what the draft says.
struct Malformed: Error, Equatable {
    let detail: String

    init(_ detail: String) {
        self.detail = detail
    }
}
