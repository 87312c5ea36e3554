// The files of this folder that go into every page as they are.
#ifndef ASSAY_CLIENT_RENDER_PAGE_PAGE_ASSETS_H_
#define ASSAY_CLIENT_RENDER_PAGE_PAGE_ASSETS_H_

namespace assay::render {

extern const char kPageStyle[];
// What differs in the dark.
extern const char kPageDarkStyle[];
extern const char kPageScript[];

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PAGE_PAGE_ASSETS_H_
