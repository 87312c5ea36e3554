// One page of HTML in one file: it loads nothing, asks nobody, and looks the same in ten years. Its
// policy forbids the network, and any script and style that are not its own (by their digests), so
// that even text which came through unescaped could do nothing.
//
//   HtmlPage page({"Robustness of models/m", {"models/m on datasets/d"}, {"fine", ...}});
//   page.BeginSection("accuracy", "Accuracy");
//   page.body().Element("p", {}, "80 %");
//   std::string html = std::move(page).Print();
#ifndef ASSAY_CLIENT_RENDER_PAGE_HTML_PAGE_H_
#define ASSAY_CLIENT_RENDER_PAGE_HTML_PAGE_H_

#include <string>
#include <vector>

#include "client/render/plot/markup.h"

namespace assay::render {

struct PageHead {
  // Of the window, and the first heading.
  std::string title;
  // What the page is about, in a few lines.
  std::vector<std::string> lines;
  // What comes of it, in one; the class of the style sheet is "good", "notice" or "bad".
  std::string verdict;
  std::string verdict_class;
};

class HtmlPage {
 public:
  explicit HtmlPage(PageHead head) : head_(std::move(head)) {}

  // Begins a section, and ends the one before; the contents at the top list it. `id` is a name
  // that links can use: letters, digits and '-', never text from elsewhere.
  void BeginSection(const std::string& id, const std::string& title);
  // A part of the section, which the contents list below it; `aside` follows its heading.
  void BeginPart(const std::string& id, const std::string& title, const std::string& aside);
  // What follows goes here.
  plot::Markup& body() { return body_; }
  // A plot and what is said below it.
  void AddFigure(const plot::Markup& plot, const std::string& caption);
  // A picture that is in the page itself: `source` is a data: URI. `text` stands for it where it
  // cannot be seen. Pages without any do not allow them.
  void AddPicture(const std::string& source, const std::string& text, int width, int height);

  std::string Print() &&;

 private:
  struct Entry {
    std::string id;
    std::string title;
    bool part;
  };
  void EndPart();
  void EndSection();
  void PrintHead(plot::Markup& out) const;
  void PrintContents(plot::Markup& out) const;

  const PageHead head_;
  std::vector<Entry> entries_;
  bool in_section_ = false;
  bool in_part_ = false;
  bool has_pictures_ = false;
  plot::Markup body_;
};

}  // namespace assay::render

#endif  // ASSAY_CLIENT_RENDER_PAGE_HTML_PAGE_H_
